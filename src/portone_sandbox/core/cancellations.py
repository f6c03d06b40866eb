"""Cancellations: which are allowed, and what they change."""

import uuid

import msgspec

from portone_sandbox.core.errors import (
    AlreadyCancelled,
    CancelExceedsAmount,
    CancelExceedsTaxable,
    CancelExceedsTaxFree,
    CancellableAmountMismatch,
    InvalidRequest,
    PartsExceedCancel,
    PaymentNotPaid,
    RefundAccountMissing,
    TooManyCancels,
)
from portone_sandbox.core.money import split_vat
from portone_sandbox.core.payments import (
    Cancellation,
    Method,
    Payment,
    RefundAccount,
    Status,
    Trigger,
)
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
    mode: str = "sync"
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
    # In the console, the operator enters the account in the PG's own form.
    by_api = payment.method is Method.VIRTUAL_ACCOUNT and request.trigger == "API"
    if by_api and request.refund_account is None:
        raise RefundAccountMissing
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
            cancellation.status = "FAILED"
            payment.updated_at = sandbox.now()
        sandbox.store.save_payment(payment)
    return cancellation


def _check_state(sandbox: SandboxState, payment: Payment) -> None:
    if payment.status is Status.CANCELLED:
        raise AlreadyCancelled
    if not payment.was_paid:
        raise PaymentNotPaid
    if len(payment.cancellations) >= sandbox.settings.v2_max_cancels:
        raise TooManyCancels


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
        id=str(uuid.uuid4()),
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
    cancellation.pg_tx_id = f"sandboxcancel{uuid.uuid4().hex[:12]}"
    payment.cancelled_at = now
    whole = payment.cancelled == payment.amount
    payment.move(Status.CANCELLED if whole else Status.PARTIAL_CANCELLED, now)
    event = Event.CANCELLED if whole else Event.PARTIAL_CANCELLED
    _notify(sandbox, payment, event, cancellation, asynchronous=asynchronous)


def _notify(
    sandbox: SandboxState,
    payment: Payment,
    event: Event,
    cancellation: Cancellation,
    *,
    asynchronous: bool = False,
) -> None:
    if cancellation.notify:
        trigger: WebhookTrigger | None = "ASYNC_CANCEL_APPROVED" if asynchronous else None
        sandbox.notify(payment, event, cancellation.id, trigger)
