"""The bank behind virtual accounts: deposits, closing, expiry."""

from datetime import datetime

from portone_sandbox.core.errors import BankRefused, NotWaitingForDeposit, PaymentNotFound
from portone_sandbox.core.payments import Deposit, Failure, Payment, Status
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import Event


def deposit(sandbox: SandboxState, number: str, amount: int, depositor: str = "홍길동") -> Payment:
    """Deposit money into an account, in minor units.

    The settings decide about wrong amounts, late and repeated deposits. Raises BankRefused if the
    bank rejects the transfer, and PaymentNotFound for an unknown account.
    """
    payments = sandbox.store.list_by_account(number)
    if not payments:
        raise PaymentNotFound("no such account")
    waiting = [p for p in payments if _awaits_deposit(p)]
    payment = waiting[0] if waiting else payments[0]
    arrived = Deposit(f"sandboxdeposit{sandbox.ids.hex(12)}", amount, depositor, sandbox.now())
    if waiting:
        _accept(sandbox, payment, arrived)
    else:
        _record_extra(sandbox, payment, arrived)
    return payment


def close(sandbox: SandboxState, payment: Payment) -> datetime:
    """Close an account before any deposit; raises NotWaitingForDeposit.

    V1 shows a revoked account as failed. Undocumented: V2's status and webhook, see Settings.
    """
    if not _awaits_deposit(payment) or payment.account is None:
        raise NotWaitingForDeposit
    now = sandbox.now()
    payment.account.closed_at = payment.updated_at = now
    v2 = payment.version == "V2"
    with sandbox.store.transaction():
        if not v2 or sandbox.settings.v2_closed_account == "FAILED":
            _fail(payment, now, "가상계좌가 말소되었습니다.")
        if v2 and sandbox.settings.v2_closed_account_webhook:
            sandbox.notify(payment, Event.FAILED)
        sandbox.store.save_payment(payment)
    return now


def expire_due(sandbox: SandboxState) -> None:
    """Fail accounts past their due time, if the settings say so."""
    if sandbox.settings.account_expiry == "stay":
        return
    now = sandbox.now()
    for payment in sandbox.store.list_waiting():
        if payment.account and payment.account.due_at <= now:
            with sandbox.store.transaction():
                _fail(payment, now, "입금 기한이 지났습니다.")
                sandbox.notify(payment, Event.FAILED)
                sandbox.store.save_payment(payment)


def _awaits_deposit(payment: Payment) -> bool:
    account = payment.account
    issued = payment.status is Status.VIRTUAL_ACCOUNT_ISSUED
    return issued and account is not None and account.closed_at is None


def _fail(payment: Payment, at: datetime, reason: str) -> None:
    payment.failure = Failure(reason, "SANDBOX_ACCOUNT_CLOSED", reason)
    payment.failed_at = at
    payment.move(Status.FAILED, at)


def _accept(sandbox: SandboxState, payment: Payment, arrived: Deposit) -> None:
    settings, account = sandbox.settings, payment.account
    late = account is not None and account.due_at < arrived.deposited_at
    if late and settings.late_deposit == "refuse":
        raise BankRefused("the account's due time has passed")
    if arrived.amount != payment.amount and payment.amount > 0:
        if settings.deposit_mismatch == "refuse":
            raise BankRefused("the amount is not what the account waits for")
        if settings.deposit_mismatch == "take_amount":
            payment.amount = arrived.amount
    # A fixed account may expect no particular amount (0), and accepts any.
    payment.amount = payment.amount or arrived.amount
    payment.tax_free = min(payment.tax_free, payment.amount)
    payment.deposits.append(arrived)
    payment.paid_at = arrived.deposited_at
    payment.move(Status.PAID, arrived.deposited_at)
    with sandbox.store.transaction():
        sandbox.notify(payment, Event.PAID, trigger="VIRTUAL_ACCOUNT_DEPOSIT")
        sandbox.store.save_payment(payment)


def _record_extra(sandbox: SandboxState, payment: Payment, arrived: Deposit) -> None:
    """Record a deposit into a finished account, without changing its status."""
    fixed = payment.account is not None and payment.account.fixed
    if not fixed and sandbox.settings.extra_deposit == "refuse":
        raise BankRefused("the account is closed")
    payment.deposits.append(arrived)
    payment.updated_at = arrived.deposited_at
    with sandbox.store.transaction():
        sandbox.notify(payment, Event.PAID, trigger="VIRTUAL_ACCOUNT_DEPOSIT")
        sandbox.store.save_payment(payment)
