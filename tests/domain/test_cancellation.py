"""A refund, from the first call to its end: what may still succeed, and what has failed."""

from datetime import UTC, datetime, timedelta

import pytest

from market.payments.cancellation import (
    LONGEST_CALL,
    LOOK_AFTER_FAILURE,
    LOOK_WHILE_TAKEN_UP,
    RECORD_LAGS,
    Cancellation,
    CancellationStatus,
)
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import CancellationId, PaymentId
from market.shared.principals import Party

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")
FAILED, REQUESTED = CancellationStatus.FAILED, CancellationStatus.REQUESTED


def asked(by: Party = Party.BUYER, account: RefundAccount | None = None) -> Cancellation:
    ids = CancellationId("c" * 32), PaymentId("1" * 32)
    return Cancellation(*ids, 40, 100, "why", by, NOW, NOW, account=account)


def sent(by: Party = Party.BUYER, account: RefundAccount | None = None) -> Cancellation:
    one = asked(by, account)
    assert one.try_again(NOW)
    return one


def test_the_first_refusal_ends_it() -> None:
    one = sent()
    one.answered_no(repeats=False)
    assert one.refuse("no", NOW)
    assert (one.status, one.failure, one.shown_to) == (FAILED, "no", (Party.BUYER,))


def test_a_refusal_does_not_end_it_while_a_lost_call_may_succeed() -> None:
    one = sent()
    later = NOW + timedelta(minutes=1)
    assert one.try_again(later)
    one.answered_no(repeats=False)
    assert not one.refuse("no", later)
    assert (one.status, one.try_at) == (REQUESTED, NOW + LONGEST_CALL)
    assert one.try_again(NOW + LONGEST_CALL)
    one.answered_no(repeats=False)
    assert one.refuse("no", NOW + LONGEST_CALL)
    assert set(one.shown_to) == {Party.BUYER, Party.SELLER}


def test_where_repeats_are_answered_alike_a_refusal_is_of_all_calls() -> None:
    one = sent()
    assert one.try_again(NOW)
    one.answered_no(repeats=True)
    assert one.refuse("no", NOW)


def test_a_call_that_never_left_can_t_succeed() -> None:
    one = sent()
    one.never_left()
    assert one.try_again(NOW)
    one.answered_no(repeats=False)
    assert one.refuse("no", NOW)


def test_on_another_balance_no_earlier_call_can_succeed() -> None:
    one = sent()
    assert one.try_again(NOW)
    assert one.rebalance(80)
    one.answered_no(repeats=False)
    assert (one.amount, one.keeps) == (20, 60)
    assert one.refuse("no", NOW)


def test_what_the_market_owes_is_asked_for_after_any_refusal() -> None:
    one = sent(Party.MARKET)
    one.answered_no(repeats=True)
    assert not one.refuse("no", NOW)
    assert (one.status, one.answers) == (REQUESTED, 1)


def test_what_is_taken_up_is_looked_at_and_not_asked_for_again() -> None:
    one = sent()
    one.taken_up(NOW)
    assert not one.try_again(NOW)
    assert one.try_at == NOW + LOOK_WHILE_TAKEN_UP
    assert not one.refuse("no", NOW)


@pytest.mark.parametrize("returning", [None, True])
def test_no_record_that_is_silent_or_shows_it_under_way_ends_it(returning: bool | None) -> None:
    one = sent()
    one.taken_up(NOW)
    assert not one.see(returning, NOW + timedelta(days=30))
    assert one.is_open


def test_a_record_may_lag_behind_the_answer() -> None:
    one = sent()
    one.taken_up(NOW)
    assert not one.see(False, NOW + RECORD_LAGS - timedelta(seconds=1))
    assert one.see(False, NOW + RECORD_LAGS)
    assert one.refuse("later", NOW + RECORD_LAGS)


def test_another_refund_that_was_in_the_way_has_ours_asked_for_again() -> None:
    one = sent()
    one.answered_no(repeats=True)
    assert not one.see(True, NOW)
    assert not one.see(False, NOW + RECORD_LAGS)
    assert one.try_again(NOW + RECORD_LAGS)


def test_what_failed_is_looked_at_a_few_times_more() -> None:
    one = sent()
    one.answered_no(repeats=True)
    one.refuse("no", NOW)
    looks = 0
    while one.try_at is not None:
        assert one.try_at == NOW + LOOK_AFTER_FAILURE[looks]
        one.watch(one.try_at)
        looks += 1
    assert looks == len(LOOK_AFTER_FAILURE)


def test_an_account_is_kept_until_the_bank_has_sent_the_money_on() -> None:
    one = sent(account=MINE)
    assert one.settle(60, NOW, transfer_waits=True)
    assert one.account == MINE
    assert one.transfer_failed()
    assert not one.transfer_failed(), "asked once"
    assert one.waits_for_account
    one.send_to(MINE, NOW)
    assert (one.waits_for_account, one.try_at) == (False, None)
    one.transferred()
    assert one.account is None


def test_without_a_transfer_an_account_goes_with_the_refund() -> None:
    one = sent(account=MINE)
    assert one.settle(60, NOW)
    assert one.account is None


def test_what_is_given_up_has_ended() -> None:
    one = sent(Party.MARKET, MINE)
    one.taken_up(NOW)
    one.give_up("operator", "lost", NOW)
    assert (one.status, one.account, one.failure) == (FAILED, None, "lost")
    assert one.given_up_by == "operator"
