"""Trades: one table of transitions, and each step only for whom it is meant."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from market.shared.contracts import ListingSnapshot
from market.shared.errors import InvalidTransition, NotFound
from market.shared.ids import MemberId, PaymentId, ProductId, TradeId
from market.shared.money import Money
from market.shared.principals import MemberSummary, Party
from market.trades.domain import (
    MAY_CANCEL,
    TRANSITIONS,
    Cancelling,
    HoldExpired,
    NotYourPart,
    Status,
    Trade,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SELLER, BUYER = MemberSummary(MemberId("5" * 32), "s"), MemberSummary(MemberId("b" * 32), "b")
STRANGER = MemberId("f" * 32)
PAYMENT, OTHER = PaymentId("1" * 32), PaymentId("2" * 32)


def trade(status: Status = Status.AWAITING_PAYMENT, *, cancelling: bool = False) -> Trade:
    offer = ListingSnapshot(ProductId("a" * 32), "chair", SELLER, Money(999))
    started = Trade.start(TradeId("7" * 32), offer, BUYER, NOW, timedelta(minutes=10), 350)
    asked = Cancelling(Party.BUYER, "changed my mind", NOW) if cancelling else None
    paid = None if status is Status.AWAITING_PAYMENT else PAYMENT
    return replace(started, status=status, payment_id=paid, cancelling=asked)


STEPS: dict[Status, Callable[[Trade], object]] = {
    Status.PAID: lambda t: t.accept_payment(OTHER, NOW),
    Status.SALE_APPROVED: lambda t: t.approve(SELLER.id, NOW),
    Status.PURCHASE_CONFIRMED: lambda t: t.confirm(BUYER.id, NOW),
}


@pytest.mark.parametrize("start", Status)
@pytest.mark.parametrize("goal", STEPS)
def test_a_step_is_taken_exactly_where_the_table_allows_it(start: Status, goal: Status) -> None:
    one = trade(start)
    with suppress(InvalidTransition):
        STEPS[goal](one)
    # Out of CANCELLED there is one way, and none of these steps is it: see below.
    allowed = goal in TRANSITIONS[start] and start is not Status.CANCELLED
    assert one.status is (goal if allowed else start)


@pytest.mark.parametrize("start", Status)
@pytest.mark.parametrize("party", Party)
def test_who_may_cancel_until_when(start: Status, party: Party) -> None:
    one = trade(start)
    if start not in MAY_CANCEL[party]:
        with pytest.raises(InvalidTransition):
            one.cancel(party, "why", NOW)
        assert (one.status, one.cancelling) == (start, None)
    elif start is Status.AWAITING_PAYMENT:
        assert one.cancel(party, "why", NOW)
        assert one.status is Status.CANCELLED
    else:
        assert not one.cancel(party, "why", NOW)
        # A confirmed one stands: an operator sends its money back without it.
        assert (one.status, one.is_cancelling) == (start, start is not Status.PURCHASE_CONFIRMED)


@pytest.mark.parametrize("step", [STEPS[Status.SALE_APPROVED], STEPS[Status.PURCHASE_CONFIRMED]])
def test_nothing_happens_to_a_trade_that_is_being_cancelled(
    step: Callable[[Trade], object],
) -> None:
    for status in (Status.PAID, Status.SALE_APPROVED):
        one = trade(status, cancelling=True)
        with pytest.raises(InvalidTransition):
            step(one)
        assert one.status is status


def test_a_second_request_to_cancel_changes_nothing() -> None:
    one = trade(Status.PAID, cancelling=True)
    assert not one.cancel(Party.SELLER, "another reason", NOW)
    assert one.cancelling == Cancelling(Party.BUYER, "changed my mind", NOW)


def test_the_wrong_party_is_refused_and_a_stranger_learns_nothing() -> None:
    for step in (Trade.approve, Trade.confirm):
        right, wrong = (SELLER, BUYER) if step is Trade.approve else (BUYER, SELLER)
        start = Status.PAID if step is Trade.approve else Status.SALE_APPROVED
        with pytest.raises(NotYourPart):
            step(trade(start), wrong.id, NOW)
        with pytest.raises(NotFound):
            step(trade(start), STRANGER, NOW)
        step(trade(start), right.id, NOW)
    with pytest.raises(NotFound):
        trade().party(STRANGER)


def test_the_price_and_the_fee_are_those_of_the_purchase() -> None:
    one = trade(Status.SALE_APPROVED)
    settled = one.confirm(BUYER.id, NOW)
    # 3.5 % of 999 is 34.965: rounded down, the fraction stays with the seller.
    assert (settled.held, settled.fee, settled.seller_id) == (Money(999), Money(34), SELLER.id)


def test_the_same_payment_is_taken_once_and_another_not_at_all() -> None:
    one = trade()
    assert one.accept_payment(PAYMENT, NOW)
    assert one.accept_payment(PAYMENT, NOW + timedelta(hours=1))
    assert one.paid_at == NOW
    assert not one.accept_payment(OTHER, NOW)
    assert one.payment_id == PAYMENT


def test_money_that_comes_for_a_dead_trade_is_not_taken() -> None:
    assert not trade(Status.CANCELLED).accept_payment(OTHER, NOW)


def test_a_late_payment_is_taken_as_long_as_the_trade_lives() -> None:
    assert trade().accept_payment(PAYMENT, NOW + timedelta(days=1))


def test_paying_is_for_the_buyer_while_the_hold_lasts() -> None:
    one = trade()
    assert one.invoice(BUYER.id, NOW).total == Money(999)
    with pytest.raises(NotYourPart):
        one.invoice(SELLER.id, NOW)
    with pytest.raises(HoldExpired):
        one.invoice(BUYER.id, one.hold_expires_at)
    with pytest.raises(InvalidTransition):
        trade(Status.PAID).invoice(BUYER.id, NOW)


def test_a_hold_expires_at_its_deadline_and_only_unpaid() -> None:
    one = trade()
    assert not one.expire(one.hold_expires_at - timedelta(seconds=1))
    assert one.expire(one.hold_expires_at)
    assert (one.status, one.is_cancelling) == (Status.CANCELLED, False)
    assert not one.expire(NOW + timedelta(days=1))
    assert not trade(Status.PAID).expire(NOW + timedelta(days=1))


def test_the_trade_dies_when_its_own_money_is_back() -> None:
    one = trade(Status.SALE_APPROVED, cancelling=True)
    assert not one.money_returned(OTHER, NOW)
    assert one.money_returned(PAYMENT, NOW)
    assert one.status is Status.CANCELLED
    assert not one.money_returned(PAYMENT, NOW)


def test_money_sent_back_in_the_gateways_console_ends_the_trade_too() -> None:
    one = trade(Status.PAID)
    assert one.money_returned(PAYMENT, NOW)
    assert one.cancelling is not None
    assert one.cancelling.by is Party.MARKET


def test_only_a_hold_that_ran_out_lives_again() -> None:
    one = trade()
    one.expire(one.hold_expires_at)
    one.revive(PAYMENT, NOW)
    assert (one.status, one.payment_id, one.is_cancelling) == (Status.PAID, PAYMENT, False)
    called_off = trade()
    called_off.cancel(Party.BUYER, "why", NOW)
    for other in (one, called_off, trade(), trade(Status.PAID)):
        with pytest.raises(InvalidTransition):
            other.revive(OTHER, NOW)


def test_a_deposit_holds_the_unit_from_the_purchase_however_often_it_is_asked() -> None:
    one = trade()
    asked_for = one.hold_expires_at
    until = one.deposit_due(timedelta(hours=24))
    assert (until, one.hold_expires_at) == (NOW + timedelta(hours=24), asked_for)
    for window in (timedelta(hours=24), timedelta(hours=24), timedelta(minutes=1)):
        one.wait_for_deposit(window)
        assert one.hold_expires_at == until == one.deposit_due(window)


@pytest.mark.parametrize("status", [status for status in Status if status != "AWAITING_PAYMENT"])
def test_only_what_awaits_payment_waits_for_a_deposit(status: Status) -> None:
    one = trade(status)
    one.wait_for_deposit(timedelta(hours=24))
    assert one.hold_expires_at == trade().hold_expires_at


def test_what_becomes_of_another_payment_is_not_this_trade_s() -> None:
    one = trade(Status.PAID, cancelling=True)
    one.refund_failed(OTHER)
    assert one.is_cancelling
    part = trade(Status.PAID)
    part.refund_part(Party.BUYER, PAYMENT)
    part.refund_settled(OTHER)
    assert part.refunding
    for refused in (
        lambda: trade(Status.PAID).refund_part(Party.BUYER, OTHER),
        lambda: trade(Status.PAID).cancel(Party.BUYER, "why", NOW, OTHER),
    ):
        with pytest.raises(InvalidTransition):
            refused()


def test_a_refused_refund_lets_the_trade_go_on() -> None:
    one = trade(Status.PAID, cancelling=True)
    one.refund_failed(PAYMENT)
    one.approve(SELLER.id, NOW)
    dead = trade(Status.CANCELLED, cancelling=True)
    dead.refund_failed(PAYMENT)
    assert dead.cancelling is not None
