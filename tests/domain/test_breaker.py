"""The circuit breaker: who does not answer is left alone, and asked again by one."""

import asyncio

import pytest

from market.payments.portone.breaker import MOST_FAILURES, WAIT, Breaker, State
from market.shared.errors import GatewayUnavailable
from tests.support.clock import MovableClock


@pytest.fixture
def breaker(clock: MovableClock) -> Breaker:
    return Breaker("V1", clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.call() as call:
            call.failed()


def answer(breaker: Breaker) -> None:
    with breaker.call() as call:
        call.answered()


def assert_is(breaker: Breaker, state: State) -> None:
    assert breaker.state is state


def opened(breaker: Breaker) -> Breaker:
    fail(breaker, MOST_FAILURES)
    assert_is(breaker, State.OPEN)
    return breaker


def wait(clock: MovableClock) -> None:
    clock.move(seconds=WAIT.total_seconds())


def assert_refuses(breaker: Breaker) -> None:
    with pytest.raises(GatewayUnavailable, match="not asked") as trouble, breaker.call():
        pytest.fail("it was let through")
    # Never OutcomeUnknown: what was not sent was not carried out.
    assert type(trouble.value) is GatewayUnavailable


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, MOST_FAILURES - 1)
    assert_is(breaker, State.CLOSED)
    fail(breaker)
    assert_refuses(breaker)


def test_an_answer_in_between_starts_the_count_again(breaker: Breaker) -> None:
    fail(breaker, MOST_FAILURES - 1)
    answer(breaker)
    fail(breaker, MOST_FAILURES - 1)
    assert_is(breaker, State.CLOSED)


def test_a_call_without_a_verdict_neither_counts_nor_starts_again(breaker: Breaker) -> None:
    fail(breaker, MOST_FAILURES - 1)
    with breaker.call():
        pass
    assert_is(breaker, State.CLOSED)
    fail(breaker)
    assert_is(breaker, State.OPEN)


def test_it_stays_open_until_the_wait_is_over(breaker: Breaker, clock: MovableClock) -> None:
    opened(breaker)
    clock.move(seconds=WAIT.total_seconds() - 1)
    assert_refuses(breaker)
    clock.move(seconds=1)
    answer(breaker)


def test_only_one_probe_is_let_through(breaker: Breaker, clock: MovableClock) -> None:
    opened(breaker)
    wait(clock)
    with breaker.call() as probe:
        assert_refuses(breaker)
        wait(clock)
        assert_refuses(breaker)
        probe.answered()
    answer(breaker)


def test_a_probe_that_is_answered_closes_it(breaker: Breaker, clock: MovableClock) -> None:
    opened(breaker)
    wait(clock)
    answer(breaker)
    assert_is(breaker, State.CLOSED)
    fail(breaker, MOST_FAILURES - 1)
    assert_is(breaker, State.CLOSED)


def test_a_probe_that_fails_opens_it_for_another_wait(
    breaker: Breaker, clock: MovableClock
) -> None:
    opened(breaker)
    wait(clock)
    fail(breaker)
    assert_refuses(breaker)
    wait(clock)
    answer(breaker)
    assert_is(breaker, State.CLOSED)


def test_a_probe_that_is_broken_off_leaves_its_place_to_the_next(
    breaker: Breaker, clock: MovableClock
) -> None:
    opened(breaker)
    wait(clock)
    with pytest.raises(asyncio.CancelledError), breaker.call():
        raise asyncio.CancelledError
    answer(breaker)
    assert_is(breaker, State.CLOSED)


def test_calls_from_before_it_opened_decide_nothing(breaker: Breaker, clock: MovableClock) -> None:
    with breaker.call() as answered_late, breaker.call() as failed_late:
        opened(breaker)
        answered_late.answered()
        assert_is(breaker, State.OPEN)
        wait(clock)
        with breaker.call() as probe:
            answered_late.answered()
            failed_late.failed()
            assert_is(breaker, State.HALF_OPEN)
            probe.answered()
        assert_is(breaker, State.CLOSED)


def test_a_clock_that_is_put_back_does_not_keep_it_open(
    breaker: Breaker, clock: MovableClock
) -> None:
    opened(breaker)
    clock.move(hours=-1)
    answer(breaker)
    assert_is(breaker, State.CLOSED)
