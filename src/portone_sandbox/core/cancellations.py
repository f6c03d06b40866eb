"""Cancellations: which are allowed, and what they change."""

from datetime import datetime, timedelta

import msgspec

from portone_sandbox.core.companies import Company
from portone_sandbox.core.errors import (
    AlreadyCancelled,
    CancelExceedsAmount,
    CancelExceedsTaxable,
    CancelExceedsTaxFree,
    CancellableAmountMismatch,
    CompanyRefused,
    InvalidRequest,
    NoAccountRefund,
    PartsExceedCancel,
    PaymentNotFound,
    PaymentNotPaid,
    RefundAccountMissing,
    TooManyCancels,
)
from portone_sandbox.core.locale import KST
from portone_sandbox.core.money import split_vat
from portone_sandbox.core.near_misses import explain_unknown_order
from portone_sandbox.core.payments import (
    AccountRefund,
    Cancellation,
    Method,
    Payment,
    RefundAccount,
    RefundStatus,
    Status,
    Trigger,
    Version,
)
from portone_sandbox.core.settings import CancelMode, Settings
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import Event, WebhookTrigger


class CancelRequest(msgspec.Struct, kw_only=True):
    """A requested cancellation in minor units; without `amount`, of everything left."""

    reason: str
    trigger: Trigger
    amount: int | None = None
    tax_free: int | None = None
    vat: int | None = None
    believed_cancellable: int | None = None
    refund_account: RefundAccount | None = None
    mode: CancelMode = "sync"
    notify: bool = True


def cancel(sandbox: SandboxState, payment: Payment, request: CancelRequest) -> Cancellation:
    """Cancel a payment in full or in part; raises a Refused with the reason if not allowed.

    No await separates the checks from the change, so concurrent cancellations run one after
    another and never exceed the paid amount.
    """
    _check_state(sandbox, payment)
    cancellable = payment.cancellable
    if request.believed_cancellable not in (None, cancellable):
        raise CancellableAmountMismatch
    amount = cancellable if request.amount is None else request.amount
    if amount <= 0 or amount > cancellable:
        raise CancelExceedsAmount
    _check_left_at_company(payment, amount)
    # In the console, the operator enters the account in the PG's own form.
    by_api = payment.method is Method.VIRTUAL_ACCOUNT and request.trigger == "API"
    if by_api and request.refund_account is None:
        raise RefundAccountMissing
    company = sandbox.settings.company(payment.channel_key)
    if company and request.trigger == "API":
        _check_company(sandbox, payment, company, request)
        request = _later_if_company_says_so(payment, company, request)
    tax_free, vat = _split(payment, amount, request)
    cancellation = _new_cancellation(sandbox, request, amount, tax_free, vat)
    payment.cancellations.append(cancellation)
    payment.updated_at = cancellation.requested_at
    with sandbox.store.transaction():
        if request.mode == "async":
            _notify(sandbox, payment, Event.CANCEL_PENDING, cancellation)
        elif request.mode == "fail":
            cancellation.status = "FAILED"
        else:
            _succeed(sandbox, payment, cancellation)
        sandbox.store.save_payment(payment)
    return cancellation


def cancel_at_company(sandbox: SandboxState, payment: Payment, amount: int | None) -> None:
    """Refund in the payment company's own console, which PortOne's record does not show."""
    _check_state(sandbox, payment)
    amount = payment.left_at_company if amount is None else amount
    if amount <= 0:
        raise CancelExceedsAmount
    _check_left_at_company(payment, amount)
    payment.company_cancelled += amount
    sandbox.store.save_payment(payment)


def find_attempt_of(
    sandbox: SandboxState, order_id: str, version: Version | None = None
) -> Payment:
    """The attempt that a cancellation by order id means; raises PaymentNotFound.

    The oldest paid attempt with money left, or else the newest paid one, or else the newest.
    """
    attempts = sandbox.store.list_attempts(order_id, version)
    if not attempts:
        explain_unknown_order(sandbox.store, order_id, version or "V2")
        raise PaymentNotFound
    paid = [p for p in attempts if p.was_paid]
    return next((p for p in paid if p.cancellable > 0), (paid or attempts)[-1])


def finish(
    sandbox: SandboxState, payment: Payment, cancellation_id: str | None, *, success: bool
) -> Cancellation:
    """Finish a REQUESTED cancellation, as an asynchronous payment company does later."""
    waiting = [
        c
        for c in payment.cancellations
        if c.status == "REQUESTED" and cancellation_id in (None, c.id)
    ]
    if not waiting:
        raise InvalidRequest("no such cancellation waits for an end")
    cancellation = waiting[0]
    with sandbox.store.transaction():
        if success:
            _succeed(sandbox, payment, cancellation, asynchronous=True)
        else:
            _fail(sandbox, payment, cancellation)
        sandbox.store.save_payment(payment)
    return cancellation


def finish_refund(sandbox: SandboxState, payment: Payment, status: RefundStatus) -> None:
    """End the transfer into the buyer's account; raises NoAccountRefund."""
    if payment.account_refund is None:
        raise NoAccountRefund
    now = sandbox.now()
    payment.account_refund = AccountRefund(status, now)
    payment.updated_at = now
    sandbox.store.save_payment(payment)


def _check_state(sandbox: SandboxState, payment: Payment) -> None:
    if payment.status is Status.CANCELLED:
        raise AlreadyCancelled
    if not payment.was_paid:
        raise PaymentNotPaid
    if len(payment.cancellations) >= sandbox.settings.v2_max_cancels:
        raise TooManyCancels


def _check_left_at_company(payment: Payment, amount: int) -> None:
    if amount > payment.left_at_company:
        raise already_cancelled_there()


def already_cancelled_there() -> CompanyRefused:
    """The refusal of a company that has refunded before, unknown to PortOne."""
    message = "기 취소 거래입니다."
    return CompanyRefused(message, pgCode="SANDBOX_ALREADY_CANCELLED", pgMessage=message)


def _check_company(
    sandbox: SandboxState, payment: Payment, company: Company, request: CancelRequest
) -> None:
    """Raise CompanyRefused for a cancellation that the company does not make."""
    now, paid_at = sandbox.now(), payment.paid_at or payment.requested_at
    if payment.method is Method.VIRTUAL_ACCOUNT:
        account = request.refund_account
        if account is not None:
            bank = _bank_of(payment, company, account)
            company.check_refund(bank, account.number, account.phone)
    elif sandbox.settings.company_cancels_tests and company.cancels_tests:
        if now >= _end_of_test(paid_at):
            raise already_cancelled_there()
    elif payment.method is Method.CARD and now - paid_at > company.card_cancel_period:
        company.refuse_cancel("CANCEL_PERIOD", "취소 가능 기간이 지났습니다.")
    most = company.partial_cancels_max
    done = sum(1 for c in payment.cancellations if c.status != "FAILED")
    if most is not None and done >= most:
        company.refuse_cancel("CANCEL_COUNT", f"부분취소는 총 {most}회까지 가능합니다.")


def _bank_of(payment: Payment, company: Company, account: RefundAccount) -> str | None:
    if payment.version == "V2":
        return account.bank
    bank = company.find_bank(account.bank)
    return bank.name if bank else None


def _end_of_test(paid_at: datetime) -> datetime:
    """When a company cancels a test payment: the next 23:30 in Korea."""
    local = paid_at.astimezone(KST)
    end = local.replace(hour=23, minute=30, second=0, microsecond=0)
    return end if end > local else end + timedelta(days=1)


def _later_if_company_says_so(
    payment: Payment, company: Company, request: CancelRequest
) -> CancelRequest:
    """Some companies only take up a refund into an account, and report its end later."""
    later = company.account.refunds_later and payment.method is Method.VIRTUAL_ACCOUNT
    if not later or request.mode != "sync":
        return request
    # V1 reports this end by a webhook, although it does not report cancellations by API.
    notify = request.notify or payment.version == "V1"
    return msgspec.structs.replace(request, mode="async", notify=notify)


def _split(payment: Payment, amount: int, request: CancelRequest) -> tuple[int, int]:
    """The tax-free and VAT parts of a cancellation.

    Without a tax-free part, a partial cancellation is taxable only; a cancellation of everything
    left includes the tax-free rest.
    """
    tax_free_left = payment.cancellable_tax_free
    everything = amount == payment.cancellable
    tax_free = request.tax_free
    if tax_free is None:
        tax_free = tax_free_left if everything else 0
    vat = split_vat(max(amount - tax_free, 0)) if request.vat is None else request.vat
    if tax_free + vat > amount:
        raise PartsExceedCancel
    if tax_free > tax_free_left:
        raise CancelExceedsTaxFree
    if amount - tax_free > payment.cancellable - tax_free_left:
        raise CancelExceedsTaxable
    return tax_free, vat


def _new_cancellation(
    sandbox: SandboxState, request: CancelRequest, amount: int, tax_free: int, vat: int
) -> Cancellation:
    return Cancellation(
        id=str(sandbox.ids.uuid()),
        status="REQUESTED",
        amount=amount,
        tax_free=tax_free,
        vat=vat,
        reason=request.reason,
        requested_at=sandbox.now(),
        trigger=request.trigger,
        refund_account=request.refund_account,
        notify=request.notify,
    )


def _succeed(
    sandbox: SandboxState,
    payment: Payment,
    cancellation: Cancellation,
    *,
    asynchronous: bool = False,
) -> None:
    now = sandbox.now()
    cancellation.status, cancellation.cancelled_at = "SUCCEEDED", now
    cancellation.pg_tx_id = f"sandboxcancel{sandbox.ids.hex(12)}"
    payment.cancelled_at = now
    whole = payment.cancelled == payment.amount
    if whole:
        payment.move(Status.CANCELLED, now)
    else:
        _move_to_partial(sandbox.settings, payment, now)
    if payment.method is Method.VIRTUAL_ACCOUNT:
        _begin_account_refund(sandbox.settings, payment, now)
    event = Event.CANCELLED if whole else Event.PARTIAL_CANCELLED
    trigger: WebhookTrigger | None = "ASYNC_CANCEL_APPROVED" if asynchronous else None
    _notify(sandbox, payment, event, cancellation, trigger)


def _fail(sandbox: SandboxState, payment: Payment, cancellation: Cancellation) -> None:
    cancellation.status = "FAILED"
    payment.updated_at = sandbox.now()
    if sandbox.settings.v2_failed_cancel_webhook:
        partly = payment.status is Status.PARTIAL_CANCELLED
        event = Event.PARTIAL_CANCELLED if partly else Event.PAID
        _notify(sandbox, payment, event, cancellation, "ASYNC_CANCEL_FAILED")


def _move_to_partial(settings: Settings, payment: Payment, now: datetime) -> None:
    before, first = payment.status_changed_at, payment.status is Status.PAID
    payment.move(Status.PARTIAL_CANCELLED, now)
    moves = settings.v2_partial_cancel_moves_status_at
    if moves == "never" or (moves == "first" and not first):
        payment.status_changed_at = before


def _begin_account_refund(settings: Settings, payment: Payment, now: datetime) -> None:
    due_at = now + timedelta(seconds=settings.account_refund_seconds)
    payment.account_refund = AccountRefund(settings.account_refund_status, due_at)


def _notify(
    sandbox: SandboxState,
    payment: Payment,
    event: Event,
    cancellation: Cancellation,
    trigger: WebhookTrigger | None = None,
) -> None:
    if cancellation.notify:
        sandbox.notify(payment, event, cancellation.id, trigger)
