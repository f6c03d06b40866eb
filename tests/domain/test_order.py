"""Of several attempts under one order: which is a payment's own, which is money besides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from market.payments.domain import Payment, Status
from market.payments.order import Order
from market.payments.record import Method, Seen, Snapshot
from market.shared.banking import VirtualAccount
from market.shared.ids import PaymentId
from market.shared.money import Money

from .test_payment import NOW, payment, seen

ACCOUNT = VirtualAccount("HANA", "1234567", None, NOW + timedelta(days=1))
PAID = replace(seen(Seen.PAID), paid_at=NOW)
OPEN = replace(seen(Seen.UNPAID), account=ACCOUNT)


def named(reference: str, like: Snapshot = PAID, **more: object) -> Snapshot:
    return replace(like, reference=reference, **more)  # type: ignore[arg-type]


def own(attempts: list[Snapshot], *payments: Payment) -> list[str | None]:
    found = Order(list(payments), attempts).shares()
    return [mine.reference if mine else None for _, mine in found]


def paid_by(reference: str) -> Payment:
    one = payment()
    one.apply(named(reference), NOW)
    return one


def test_money_comes_before_what_is_newer() -> None:
    attempts = [named("new", seen(Seen.UNPAID)), named("paid"), named("failed", seen(Seen.FAILED))]
    assert own(attempts, payment()) == ["paid"]


def test_of_two_that_took_money_the_first_pays() -> None:
    late, unsaid = NOW + timedelta(seconds=1), None
    attempts = [named("late", paid_at=late), named("never said", paid_at=unsaid), named("first")]
    order = Order([payment()], attempts)
    assert own(attempts, payment()) == ["first"]
    assert [more.reference for more in order.besides()] == ["late", "never said"]


def test_what_has_its_money_keeps_its_attempt() -> None:
    earlier = named("earlier", paid_at=NOW - timedelta(days=1))
    mine = paid_by("mine")
    assert own([earlier, named("mine")], mine) == ["mine"]
    assert own([earlier], mine) == [None]  # and is no other's witness


def test_an_account_that_is_awaited_is_kept_to_though_another_is_newer() -> None:
    waiting = payment()
    waiting.apply(named("mine", OPEN), NOW)
    attempts = [named("newer", OPEN), named("mine", OPEN)]
    order = Order([waiting], attempts)
    assert own(attempts, waiting) == ["mine"]
    assert [one.reference for one in order.unwanted()] == ["newer"]
    # A deposit into the other one pays all the same.
    assert own([named("newer"), named("mine", OPEN)], waiting) == ["newer"]


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.FAILED, Status.PAID])
def test_no_account_is_wanted_by_what_waits_for_nothing(status: Status) -> None:
    over = paid_by("paid") if status is Status.PAID else payment()
    over.status = status
    over.reference = "mine" if status is not Status.PAID else "paid"
    order = Order([over], [named("mine", OPEN), named("paid")])
    assert [one.reference for one in order.unwanted()] == ["mine"]


def test_money_besides_is_known_once() -> None:
    first = paid_by("first")
    twin = Payment.found(PaymentId("twin"), first, NOW)
    twin.apply(named("second"), NOW)
    attempts = [named("second", returned=100), named("first")]
    order = Order([first, twin], attempts)
    assert own(attempts, first, twin) == ["first", "second"]
    assert order.besides() == []


def test_what_was_found_besides_says_nothing_of_an_order_without_money() -> None:
    """The first went back, say, and was forgotten there."""
    first = paid_by("first")
    twin = Payment.found(PaymentId("twin"), first, NOW)
    twin.apply(named("second"), NOW)
    assert own([named("second")], payment(), twin) == [None, "second"]


@pytest.mark.parametrize(
    "bad",
    [
        replace(PAID, captured=Money(0)),
        replace(PAID, captured=Money(-100)),
        replace(PAID, returned=101),
        replace(PAID, returned=-1),
        replace(PAID, state=Seen.UNKNOWN),
        replace(PAID, trouble="half a won"),
        replace(OPEN, trouble="half a won"),
    ],
)
def test_of_what_makes_no_sense_nothing_is_believed(bad: Snapshot) -> None:
    one = payment()
    order = Order([one], [bad, named("good", seen(Seen.UNPAID))])
    assert own([bad, named("good")], one) == ["good"]
    assert own([bad], one) == [None]
    assert (order.besides(), order.unwanted(), order.senseless()) == ([], [], [bad])


def test_a_payment_found_besides_goes_its_own_way() -> None:
    first = paid_by("first")
    twin = Payment.found(PaymentId("twin"), first, datetime(2027, 1, 1, tzinfo=UTC))
    assert (twin.order_id, twin.trade_id, twin.amount) == (first.id, first.trade_id, first.amount)
    (came,) = twin.apply(named("second", method=Method.EASY_PAY), NOW)
    assert (twin.status, twin.reference, twin.paid_with) == (
        Status.PAID,
        "second",
        Method.EASY_PAY,
    )
    assert came.mismatch is None  # type: ignore[union-attr] # it is under its order
