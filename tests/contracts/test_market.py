"""The whole market on each version of the real wire, and on both at once."""

from contextlib import suppress

import pytest

from market.kit.db.database import Database
from market.payments.cancellation import RefundTooSmall, TooManyRefunds
from market.payments.domain import Means, Method, Payment
from market.payments.domain import Status as PaymentStatus
from market.payments.ports import Gateways
from market.shared.contracts import AmountDue
from market.shared.errors import GatewayUnavailable
from market.shared.ids import MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.trades.domain import Status as TradeStatus
from market.verify import broken
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

from .shops import Opened
from .sides import Wire


@pytest.mark.parametrize("version", ["V1", "V2"])
async def test_a_purchase_and_its_refund_end_alike(
    opened: Opened, db: Database, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, checkout = await shop.start(trade, buyer)
    assert (payment.gateway, checkout.version) == (version, version)
    shop.portone.pay(payment.id)
    payment = await shop.market.payments.complete(payment.id, buyer.id)
    assert (payment.status, payment.captured) == (PaymentStatus.PAID, Money(9000))
    assert await shop.status(trade, buyer) is TradeStatus.PAID
    assert await broken(db) == []
    await shop.market.refunds.cancel_purchase(trade.id, buyer.id, "변심")
    payment = await shop.market.payments.see(payment.id, buyer.id)
    assert (payment.status, payment.cancellable) == (PaymentStatus.CANCELLED, 0)
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    assert await broken(db) == []


async def test_the_whole_goes_back_after_any_parts_that_members_sent(
    opened: Opened, db: Database
) -> None:
    shop = opened(PORTONE_VERSION="V2")
    shop.portone.set(v2_max_cancels=5)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    sent = 0
    for amount in [1] * 5 + [100] * 5 + [1000] * 5:
        with suppress(TooManyRefunds, RefundTooSmall):
            await shop.market.refunds.cancel(payment.id, trade.seller.id, amount, "흠집", None)
            sent += 1
    assert sent == 3
    await shop.market.refunds.cancel_purchase(trade.id, buyer.id, "변심")
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    assert await broken(db) == []


@pytest.mark.parametrize("version", ["V1", "V2"])
async def test_play_money_buys_nothing_where_real_money_is_meant(
    opened: Opened, db: Database, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version, PORTONE_CHANNEL="LIVE")
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    await shop.market.sweep.everything()
    payment = await shop.market.payments.see(payment.id, buyer.id)
    assert payment.status is PaymentStatus.CANCELLED
    assert await shop.status(trade, buyer) is not TradeStatus.PAID
    assert await db.fetch_value("SELECT array_agg(kind) FROM incidents") == ["wrong_channel"]


@pytest.mark.parametrize(("first", "then"), [("V1", "V2"), ("V2", "V1")])
async def test_a_payment_stays_on_the_version_it_began_on(
    opened: Opened, wire: Wire, first: str, then: str
) -> None:
    buyer, trade = await opened(PORTONE_VERSION=first).buy()
    begun, _ = await opened(PORTONE_VERSION=first).start(trade, buyer)
    shop = opened(PORTONE_VERSION=then)
    wire.sent.clear()
    same, checkout = await shop.start(trade, buyer)
    assert (same.id, same.gateway, checkout.version) == (begun.id, first, first)
    shop.portone.pay(begun.id)
    paid = await shop.market.payments.complete(begun.id, buyer.id)
    assert paid.status is PaymentStatus.PAID
    await shop.market.refunds.cancel_purchase(trade.id, buyer.id, "변심")
    cancelled = await shop.market.payments.see(begun.id, buyer.id)
    assert cancelled.status is PaymentStatus.CANCELLED
    assert {path[:3] for path in wire.paths()} == {f"/{first.lower()}"}
    other_buyer, other_trade = await shop.buy()
    newer, _ = await shop.start(other_trade, other_buyer)
    assert newer.gateway == then


def test_a_payment_is_never_asked_of_a_gateway_that_cannot_know_it(clock: MovableClock) -> None:
    invoice = AmountDue(TradeId("t"), MemberId("m"), "양말", Money(5))
    payment = Payment.ask(PaymentId("p"), invoice, "V2", Means(Method.CARD), clock.now())
    v1, v2 = MemoryGateway("V1"), MemoryGateway("V2")
    assert Gateways(v1, v2).of(payment) is v2
    with pytest.raises(GatewayUnavailable, match="V2"):
        Gateways(v1).of(payment)


@pytest.mark.parametrize("version", ["V1", "V2"])
async def test_the_gateways_list_and_our_payments_are_compared_on_the_real_wire(
    opened: Opened, db: Database, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    other_buyer, other_trade = await shop.buy()
    missed, _ = await shop.start(other_trade, other_buyer)
    shop.portone.pay(missed.id)  # and nobody tells
    await shop.market.payments.complete(payment.id, buyer.id)
    shop.portone.control("POST", "cancel", {"payment_id": payment.id, "amount": 9000})
    outcome = await shop.market.comparison.recent(0)
    assert (outcome.records, outcome.repaired, outcome.incidents) == (2, 2, 0)
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    again = await shop.market.comparison.recent(0)
    assert (again.payments, again.repaired, again.incidents, again.unanswered) == (2, 0, 0, 0)
    assert await broken(db) == []


async def test_a_list_that_shows_no_test_channel_makes_no_incidents(
    opened: Opened, db: Database
) -> None:
    shop = opened(PORTONE_VERSION="V1")
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    shop.portone.set(v1_list_hides_test=True)
    outcome = await shop.market.comparison.recent(0)
    assert (outcome.records, outcome.payments, outcome.incidents) == (0, 1, 0)
