"""Payments: whatever order the gateway's records come in, the outcome is the same (P5)."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.payments.cancellation import TRY_AGAIN_AFTER, Cancellation, CancellationStatus
from market.payments.domain import (
    LOOK_AT_AGES,
    TRANSITIONS,
    Captured,
    DepositedTwice,
    Event,
    ExceedsCancellable,
    Means,
    Method,
    Payment,
    Returned,
    Status,
)
from market.payments.record import Seen, Snapshot
from market.shared.contracts import AmountDue
from market.shared.errors import InvalidTransition
from market.shared.ids import CancellationId, MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.principals import Party

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ID = PaymentId("1" * 32)


def payment() -> Payment:
    invoice = AmountDue(TradeId("7" * 32), MemberId("b" * 32), "chair", Money(100))
    return Payment.ask(ID, invoice, "V1", Means(Method.CARD), NOW)


def seen(state: Seen, returned: int = 0, amount: int = 100, currency: str = "KRW") -> Snapshot:
    return Snapshot(ID, "imp_1", state, Money(amount, currency), returned, failure="declined")


def paid(returned: int = 0) -> Payment:
    one = payment()
    one.apply(seen(Seen.PAID, returned), NOW)
    return one


def apply_all(records: Sequence[Snapshot | None]) -> tuple[Payment, list[Event]]:
    one, events = payment(), []
    for record in records:
        events += one.apply(record, NOW)
    return one, events


# What a gateway may show of one payment in the course of its life, and an old one again.
HISTORY = (None, seen(Seen.UNPAID), seen(Seen.PAID), seen(Seen.PAID, 30), seen(Seen.PAID, 100))


@pytest.mark.parametrize("order", list(itertools.permutations(HISTORY)))
def test_in_every_order_the_same_money_moves(order: Sequence[Snapshot | None]) -> None:
    one, events = apply_all(order)
    assert (one.status, one.cancelled, one.cancellable) == (Status.CANCELLED, 100, 0)
    captured = [event for event in events if isinstance(event, Captured)]
    returned = [event for event in events if isinstance(event, Returned)]
    assert [event.amount for event in captured] == [Money(100)]
    assert sum(event.amount.amount for event in returned) == 100
    assert [event.everything for event in returned][-1] is True


@given(st.lists(st.sampled_from([*HISTORY, seen(Seen.FAILED)]), max_size=12))
def test_records_may_repeat_and_come_late(records: list[Snapshot | None]) -> None:
    one, events = apply_all(records)
    again, _ = apply_all([*records, *records])
    assert again.status is one.status
    assert sum(isinstance(event, Captured) for event in events) <= 1
    assert 0 <= one.cancelled <= 100


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("goal", Status)
def test_a_payment_moves_exactly_where_the_table_allows(status: Status, goal: Status) -> None:
    one = payment()
    one.status = status
    with suppress(InvalidTransition):
        one._move(goal)
    assert one.status is (goal if goal in TRANSITIONS[status] or goal is status else status)


def test_a_declined_attempt_may_still_turn_out_paid() -> None:
    one, events = apply_all([seen(Seen.FAILED), seen(Seen.PAID)])
    assert (one.status, one.failure, len(events)) == (Status.PAID, None, 1)


def test_an_expired_payment_may_still_turn_out_paid() -> None:
    one = payment()
    one.expire()
    before = one.status
    assert one.apply(seen(Seen.PAID), NOW)
    assert [before, one.status] == [Status.EXPIRED, Status.PAID]


def test_expiring_what_is_not_open_changes_nothing() -> None:
    one = paid()
    one.expire()
    assert one.status is Status.PAID


@pytest.mark.parametrize(
    ("record", "mismatch"),
    [
        (seen(Seen.PAID), None),
        (seen(Seen.PAID, amount=99), "amount"),
        (seen(Seen.PAID, amount=101), "amount"),
        (seen(Seen.PAID, currency="USD"), "currency"),
        (Snapshot("other", "imp_1", Seen.PAID, Money(100), 0), "order"),
    ],
)
def test_money_that_is_not_as_asked_is_named(record: Snapshot, mismatch: str | None) -> None:
    one = payment()
    (event,) = one.apply(record, NOW)
    assert isinstance(event, Captured)
    assert event.mismatch == mismatch
    assert one.captured == record.captured


def test_an_unfinished_payment_is_looked_at_ever_more_rarely_and_then_no_more() -> None:
    one, looks = payment(), 0
    while one.look_at is not None:
        looks += 1
        assert one.look_at == NOW + LOOK_AT_AGES[looks - 1]
        one.apply(None, one.look_at)
    assert looks == len(LOOK_AT_AGES)


def test_looking_often_does_not_use_up_the_looks_to_come() -> None:
    one = payment()
    for _ in range(100):
        one.apply(None, NOW)
    assert one.look_at == NOW + LOOK_AT_AGES[0]


def test_a_finished_payment_is_not_looked_at_unasked() -> None:
    assert paid().look_at is None


def ask_back(one: Payment, amount: int | None = None) -> Cancellation:
    return one.cancel(CancellationId("c" * 32), amount, "why", Party.BUYER, NOW)


@pytest.mark.parametrize("amount", [0, -1, 71])
def test_only_what_is_there_can_be_asked_back(amount: int) -> None:
    with pytest.raises(ExceedsCancellable):
        ask_back(paid(returned=30), amount)


def test_all_that_is_left_is_asked_back_unless_said_otherwise() -> None:
    assert ask_back(paid(returned=30)).amount == 70
    assert (ask_back(paid(), 40).amount, ask_back(paid(), 40).balance) == (40, 100)


def test_nothing_can_be_asked_back_before_anything_came() -> None:
    with pytest.raises(InvalidTransition):
        ask_back(payment())


def test_a_cancellation_succeeds_when_the_record_shows_the_money_gone() -> None:
    one = paid()
    asked = ask_back(one, 40)
    assert not asked.settle(one.cancellable, NOW)
    one.apply(seen(Seen.PAID, 40), NOW)
    assert asked.settle(one.cancellable, NOW)
    assert (asked.status, asked.try_at) == (CancellationStatus.SUCCEEDED, None)
    assert not asked.settle(one.cancellable, NOW)
    assert not asked.refuse("late no", NOW)


def test_who_asks_sends_it_and_a_worker_what_the_market_owes() -> None:
    assert ask_back(paid()).try_at == NOW + TRY_AGAIN_AFTER[0]
    owed = paid().cancel(CancellationId("c" * 32), None, "late", Party.MARKET, NOW)
    assert owed.try_at == NOW


def test_an_unanswered_cancellation_is_tried_again_for_ever() -> None:
    asked = ask_back(paid())
    waits: list[timedelta] = []
    for _ in range(6):
        assert asked.try_again(NOW)
        assert asked.try_at is not None
        waits.append(asked.try_at - NOW)
    assert waits == [*TRY_AGAIN_AFTER, TRY_AGAIN_AFTER[-1], TRY_AGAIN_AFTER[-1]]


def test_what_went_back_behind_our_back_is_not_asked_for_again() -> None:
    one = paid()
    asked = ask_back(one)
    assert not asked.rebalance(one.cancellable)
    one.apply(seen(Seen.PAID, 30), NOW)
    assert asked.rebalance(one.cancellable)
    assert (asked.amount, asked.balance) == (70, 70)


def test_more_back_than_ever_came_is_no_record_to_believe() -> None:
    one = paid()
    assert one.apply(seen(Seen.PAID, 101), NOW) == []
    assert (one.cancelled, one.status) == (0, Status.PAID)


def test_what_a_bank_lets_through_beyond_the_payment_is_told_and_changes_nothing() -> None:
    one = paid()
    assert one.apply(replace(seen(Seen.PAID), deposited=100), NOW) == []
    assert one.apply(replace(seen(Seen.PAID), deposited=200), NOW) == [DepositedTwice(200)]
    assert (one.captured, one.status) == (Money(100), Status.PAID)


def test_a_refused_cancellation_says_why() -> None:
    asked = ask_back(paid())
    assert asked.refuse("closed", NOW)
    assert (asked.status, asked.failure) == (CancellationStatus.FAILED, "closed")
    assert not asked.rebalance(paid(30).cancellable)
