"""Money counts only where it was meant to arrive (P4)."""

from datetime import UTC, datetime

import pytest

from market.payments.domain import Captured, Event, Means, Method, Payment, Status
from market.payments.record import ANY_TILL, Seen, Snapshot, Till
from market.shared.contracts import AmountDue
from market.shared.ids import MemberId, PaymentId, TradeId
from market.shared.money import Money

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OURS = "store-ours"
ASKED = Money(1000)


def arrived(
    till: Till,
    *,
    order: str = "payment",
    store: str | None = OURS,
    test: bool | None = True,
    money: Money = ASKED,
) -> tuple[Payment, list[Event]]:
    """A payment of 1000 won, and what came of money that the gateway says it has."""
    invoice = AmountDue(TradeId("trade"), MemberId("buyer"), "양말", ASKED)
    payment = Payment.ask(PaymentId("payment"), invoice, "V2", Means(Method.CARD), NOW)
    seen = Snapshot(order, "reference", Seen.PAID, money, 0, NOW, store=store, test=test)
    return payment, payment.apply(seen, NOW, till)


@pytest.mark.parametrize("test", [True, False])
def test_money_in_our_store_and_kind_of_channel_is_right(test: bool) -> None:
    payment, events = arrived(Till(OURS, test), test=test)
    assert payment.status is Status.PAID
    assert events == [Captured(ASKED, NOW, None)]


@pytest.mark.parametrize("store", ["store-theirs", "", None])
def test_money_in_another_store_is_wrong(store: str | None) -> None:
    _, events = arrived(Till(OURS, True), store=store)
    assert events == [Captured(ASKED, NOW, "store")]


@pytest.mark.parametrize(
    ("expected", "seen"), [(True, False), (False, True), (True, None), (False, None)]
)
def test_test_and_live_never_mix(expected: bool, seen: bool | None) -> None:
    _, events = arrived(Till(OURS, expected), test=seen)
    assert events == [Captured(ASKED, NOW, "channel")]


def test_wrong_money_is_captured_all_the_same_so_that_it_can_go_back() -> None:
    payment, _ = arrived(Till(OURS, False))
    assert (payment.status, payment.cancellable) == (Status.PAID, 1000)


def test_where_no_store_is_named_any_will_do() -> None:
    _, events = arrived(Till(test=True), store="whichever")
    assert events == [Captured(ASKED, NOW, None)]
    _, events = arrived(ANY_TILL, store=None, test=None)
    assert events == [Captured(ASKED, NOW, None)]


def test_the_gravest_wrong_is_the_one_named() -> None:
    ours = Till(OURS, True)
    dollars, little = Money(1000, "USD"), Money(1)
    named = [
        arrived(ours, order="other", store=None, test=False, money=dollars),
        arrived(ours, store=None, test=False, money=dollars),
        arrived(ours, test=False, money=dollars),
        arrived(ours, money=dollars),
        arrived(ours, money=little),
    ]
    wrongs = [event.mismatch for _, (event,) in named if isinstance(event, Captured)]
    assert wrongs == ["order", "store", "channel", "currency", "amount"]
