"""The buyer that /control/pay plays: which window he sits at, and what the gateway records."""

from typing import Annotated, Literal

import msgspec

from portone_sandbox.core import payment_flow
from portone_sandbox.core.errors import AlreadyPaid, InvalidRequest, PaymentNotFound
from portone_sandbox.core.money import LARGEST
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import (
    Buyer,
    Card,
    Method,
    Order,
    Payment,
    Status,
    VersionWord,
    in_capitals,
)
from portone_sandbox.core.state import World

Amount = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PayOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A buyer's deed at the window. `payment_id` is a merchant_uid, paymentId, or imp_uid."""

    payment_id: Name
    outcome: Literal["paid", "failed", "abandoned"] = "paid"
    amount: Amount | None = None
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    version: VersionWord | None = None
    method: Method | None = None
    bank: str | None = None
    name: str | None = None
    card: Card | None = None
    custom_data: str | None = None
    channel_key: str | None = None
    notice_urls: list[str] = []
    buyer: Buyer | None = None


def act(world: World, order: PayOrder) -> Payment:
    """Do what the buyer does; raises a Refused where the state forbids it."""
    with world.store.transaction():
        payment = _window_for(world, order)
        _as_the_gateway_records(payment, order)
        if order.outcome == "paid":
            return payment_flow.authenticate(world, payment, order.card)
        if order.outcome == "failed":
            return payment_flow.decline(world, payment)
        return payment_flow.abandon(world, payment)


def _window_for(world: World, order: PayOrder) -> Payment:
    """The window the buyer sits at: one that is open, or a new one for what was registered."""
    direct = world.store.find_payment(order.payment_id)
    if direct and direct.status in (Status.READY, Status.FAILED) and order.outcome == "paid":
        # Named by its own id, an attempt that was left or failed is approved late after all.
        return payment_flow.reopen(world, direct)
    order_id = direct.order_id if direct else order.payment_id
    attempts = world.store.list_attempts(order_id)
    registered = world.store.find_order(order_id)
    if registered is None and not attempts:
        raise PaymentNotFound("nothing was registered or opened under this id")
    if any(p.was_paid for p in attempts):
        raise AlreadyPaid
    version = in_capitals(order.version) if order.version else None
    opened = payment_flow.find_open_window(world, order_id, version)
    if opened:
        return opened
    opening = _opening(order, order_id, registered, attempts[-1] if attempts else None)
    return payment_flow.open_checkout(world, opening, check_amount=False)


def _opening(
    order: PayOrder, order_id: str, registered: Order | None, last: Payment | None
) -> Opening:
    amount = order.amount
    if amount is None and registered:
        amount = registered.amount
    if amount is None and last:
        amount = last.amount
    known = registered or last or _nothing()
    version = in_capitals(order.version) if order.version else known.version
    if amount is None:
        raise InvalidRequest("no amount was registered: give one")
    return Opening(
        order_id=order_id,
        version=version,
        amount=amount,
        currency=order.currency or (registered and registered.currency) or "KRW",
        method=order.method or (last.method if last else Method.CARD),
        name=order.name or (last.name if last else "샌드박스 주문"),
        channel_key=order.channel_key,
        buyer=order.buyer or (last.buyer if last else Buyer()),
        custom_data=order.custom_data or (last.custom_data if last else None),
        notice_urls=order.notice_urls or (last.notice_urls if last else []),
        bank=order.bank or (last.bank if last else None),
    )


def _nothing() -> Order:
    raise PaymentNotFound


def _as_the_gateway_records(payment: Payment, order: PayOrder) -> None:
    """A test may have the gateway's record disagree with the order."""
    payment.amount = payment.amount if order.amount is None else order.amount
    payment.tax_free = min(payment.tax_free, payment.amount)
    payment.currency = order.currency or payment.currency
    payment.method = order.method or payment.method
    payment.bank = order.bank or payment.bank
    payment.name = order.name or payment.name
    payment.notice_urls = order.notice_urls or payment.notice_urls
