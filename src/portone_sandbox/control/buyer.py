"""The buyer of /control/pay: finds the window, and makes the gateway record the outcome."""

from typing import Annotated, Literal

import msgspec

from portone_sandbox.core import payment_flow
from portone_sandbox.core.errors import AlreadyPaid, InvalidRequest, PaymentNotFound
from portone_sandbox.core.money import AMOUNT_MAX
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import (
    Buyer,
    Card,
    Failure,
    Method,
    Order,
    Payment,
    Status,
    VersionParam,
    to_version,
)
from portone_sandbox.core.state import SandboxState

Amount = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A buyer's action at the window. `payment_id` is a merchant_uid, paymentId or imp_uid."""

    payment_id: Name
    outcome: Literal["paid", "failed", "abandoned"] = "paid"
    amount: Amount | None = None
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    version: VersionParam | None = None
    method: Method | None = None
    bank: str | None = None
    name: str | None = None
    card: Card | None = None
    custom_data: str | None = None
    channel_key: str | None = None
    notice_urls: list[str] = []
    buyer: Buyer | None = None


def find_waiting(sandbox: SandboxState, body: PayRequest) -> Payment | None:
    """The open window whose merchant wants to be asked before this action."""
    if body.outcome != "paid":
        return None
    direct = sandbox.store.find_payment(body.payment_id)
    version = to_version(body.version) if body.version else None
    payment = direct or payment_flow.find_open_window(sandbox, body.payment_id, version)
    return payment if payment and payment.window_open and payment.confirm_url else None


def act(sandbox: SandboxState, body: PayRequest, refused: Failure | None = None) -> Payment:
    """Perform the buyer's action; raises a Refused where the state forbids it.

    `refused` is why the merchant does not want the payment.
    """
    with sandbox.store.transaction():
        payment = _window_for(sandbox, body)
        _as_the_gateway_records(payment, body)
        if refused:
            return payment_flow.decline(sandbox, payment, refused)
        if body.outcome == "paid":
            return payment_flow.authenticate(sandbox, payment, body.card)
        if body.outcome == "failed":
            return payment_flow.decline(sandbox, payment)
        return payment_flow.abandon(sandbox, payment)


def _window_for(sandbox: SandboxState, body: PayRequest) -> Payment:
    """The buyer's window: an open one, or a new one for the registered order."""
    direct = sandbox.store.find_payment(body.payment_id)
    if direct and direct.window_open:
        return direct
    if direct and direct.status in (Status.READY, Status.FAILED) and body.outcome == "paid":
        # An abandoned or failed attempt, named by its own id, is approved late.
        return payment_flow.reopen(sandbox, direct)
    order_id = direct.order_id if direct else body.payment_id
    attempts = sandbox.store.list_attempts(order_id)
    registered = sandbox.store.find_order(order_id)
    if registered is None and not attempts:
        raise PaymentNotFound("nothing was registered or opened under this id")
    version = to_version(body.version) if body.version else None
    opened = payment_flow.find_open_window(sandbox, order_id, version)
    if opened:
        return opened
    if any(p.was_paid for p in attempts):
        raise AlreadyPaid
    opening = _opening(body, order_id, registered, attempts[-1] if attempts else None)
    return payment_flow.open_checkout(sandbox, opening, check_amount=False, check_company=False)


def _opening(
    body: PayRequest, order_id: str, registered: Order | None, last: Payment | None
) -> Opening:
    amount = body.amount
    if amount is None and registered:
        amount = registered.amount
    if amount is None and last:
        amount = last.amount
    known = registered or last or _nothing()
    version = to_version(body.version) if body.version else known.version
    if amount is None:
        raise InvalidRequest("no amount was registered: give one")
    return Opening(
        order_id=order_id,
        version=version,
        amount=amount,
        currency=body.currency or (registered and registered.currency) or "KRW",
        method=body.method or (last.method if last else Method.CARD),
        name=body.name or (last.name if last else "샌드박스 주문"),
        channel_key=body.channel_key,
        buyer=body.buyer or (last.buyer if last else Buyer()),
        custom_data=body.custom_data or (last.custom_data if last else None),
        notice_urls=body.notice_urls or (last.notice_urls if last else []),
        bank=body.bank or (last.bank if last else None),
    )


def _nothing() -> Order:
    raise PaymentNotFound


def _as_the_gateway_records(payment: Payment, body: PayRequest) -> None:
    """Apply a test's deviations, so that the gateway's record differs from the order."""
    payment.amount = payment.amount if body.amount is None else body.amount
    payment.tax_free = min(payment.tax_free, payment.amount)
    payment.currency = body.currency or payment.currency
    if body.method and body.method is not payment.method:
        payment.method = body.method
        payment.card = payment.account = None
    payment.bank = body.bank or payment.bank
    payment.name = body.name or payment.name
    payment.notice_urls = body.notice_urls or payment.notice_urls
