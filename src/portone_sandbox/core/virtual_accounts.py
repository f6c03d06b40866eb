"""The bank behind a virtual account: money that arrives, accounts that close or run out."""

import uuid
from datetime import datetime

from portone_sandbox.core.errors import BankRefused, NotWaitingForDeposit, PaymentNotFound
from portone_sandbox.core.payments import Deposit, Failure, Payment, Status
from portone_sandbox.core.state import World
from portone_sandbox.core.webhook import Event


def deposit(world: World, number: str, amount: int, depositor: str = "홍길동") -> Payment:
    """Money arrives at an account, in minor units.

    Short, over, late and repeated deposits follow the settings; a bank that turns the money
    back raises BankRefused. Raises PaymentNotFound for an account nobody opened.
    """
    users = world.store.list_by_account(number)
    if not users:
        raise PaymentNotFound("no such account")
    waiting = [p for p in users if _waits(p)]
    payment = waiting[0] if waiting else users[0]
    arrived = Deposit(f"sandboxdeposit{uuid.uuid4().hex[:12]}", amount, depositor, world.now())
    if waiting:
        _settle(world, payment, arrived)
    else:
        _record_extra(world, payment, arrived)
    return payment


def close(world: World, payment: Payment) -> datetime:
    """Close an account before any deposit; raises NotWaitingForDeposit.

    V1 shows a revoked account as failed. DOUBT: V2's status and webhook, see Settings.
    """
    if not _waits(payment) or payment.account is None:
        raise NotWaitingForDeposit
    now = world.now()
    payment.account.closed_at = payment.updated_at = now
    v2 = payment.version == "V2"
    with world.store.transaction():
        if not v2 or world.settings.v2_closed_account == "FAILED":
            _fail(payment, now, "가상계좌가 말소되었습니다.")
        if v2 and world.settings.v2_closed_account_webhook:
            world.tell(payment, Event.FAILED)
        world.store.save_payment(payment)
    return now


def expire_due(world: World) -> None:
    """End accounts past their due time, if the settings say that anything happens then."""
    if world.settings.account_expiry == "stay":
        return
    now = world.now()
    for payment in world.store.list_waiting():
        if payment.account and payment.account.due_at <= now:
            with world.store.transaction():
                _fail(payment, now, "입금 기한이 지났습니다.")
                world.tell(payment, Event.FAILED)
                world.store.save_payment(payment)


def _waits(payment: Payment) -> bool:
    account = payment.account
    issued = payment.status is Status.VIRTUAL_ACCOUNT_ISSUED
    return issued and account is not None and account.closed_at is None


def _fail(payment: Payment, at: datetime, reason: str) -> None:
    payment.failure = Failure(reason, "SANDBOX_ACCOUNT_CLOSED", reason)
    payment.failed_at = at
    payment.move(Status.FAILED, at)


def _settle(world: World, payment: Payment, arrived: Deposit) -> None:
    settings, account = world.settings, payment.account
    late = account is not None and account.due_at < arrived.deposited_at
    if late and settings.late_deposit == "refuse":
        raise BankRefused("the account's due time has passed")
    if arrived.amount != payment.amount and payment.amount > 0:
        if settings.deposit_mismatch == "refuse":
            raise BankRefused("the amount is not what the account waits for")
        if settings.deposit_mismatch == "take_amount":
            payment.amount = arrived.amount
    # A fixed account may wait for no amount in particular (0): it takes what comes.
    payment.amount = payment.amount or arrived.amount
    payment.tax_free = min(payment.tax_free, payment.amount)
    payment.deposits.append(arrived)
    payment.paid_at = arrived.deposited_at
    payment.move(Status.PAID, arrived.deposited_at)
    with world.store.transaction():
        world.tell(payment, Event.PAID, trigger="VIRTUAL_ACCOUNT_DEPOSIT")
        world.store.save_payment(payment)


def _record_extra(world: World, payment: Payment, arrived: Deposit) -> None:
    """Money for an account that is done: never moves the status, so a cancelled one stays so."""
    fixed = payment.account is not None and payment.account.fixed
    if not fixed and world.settings.extra_deposit == "refuse":
        raise BankRefused("the account is closed")
    payment.deposits.append(arrived)
    payment.updated_at = arrived.deposited_at
    with world.store.transaction():
        world.tell(payment, Event.PAID, trigger="VIRTUAL_ACCOUNT_DEPOSIT")
        world.store.save_payment(payment)
