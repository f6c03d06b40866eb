"""A circuit breaker: who has stopped answering is not asked for a while."""

# Ours: purgatory, circuitbreaker, pybreaker take no clock; aiobreaker is no longer maintained.

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum

import structlog

from market.shared.clock import Clock, is_ahead
from market.shared.errors import GatewayUnavailable

# One lost line or two are chance, and a refund's look, try and look are three calls: five in a
# row without an answer are not one request's bad luck.
MOST_FAILURES = 5
# Shorter than a buyer's patience to press "pay" again, and six probes a minute burden nobody.
WAIT = timedelta(seconds=10)

_log = structlog.get_logger()


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Breaker:
    """Closed, it lets every call through; open, none; half open, one probe that decides.

    Each process learns for itself. No lock: nothing here awaits, so each step is whole.
    """

    def __init__(self, version: str, clock: Clock) -> None:
        self._version = version
        self._clock = clock
        self._state = State.CLOSED
        self._failures = 0
        self._probe_at: datetime | None = None
        # Counts changes of state. A call tells of the turn it began in: one that was under way
        # when the breaker opened must neither close it nor pass for the probe.
        self._turn = 0

    @property
    def state(self) -> State:
        return self._state

    @contextmanager
    def call(self) -> Iterator["Call"]:
        """One call, which says how it went; one that can't (it was broken off) counts for nothing.

        Raises GatewayUnavailable when it may not be made. Then it never left: nothing was carried
        out.
        """
        call = Call(self, self._enter())
        try:
            yield call
        finally:
            self._left(call.turn)

    def _enter(self) -> int:
        now, probe_at = self._clock.now(), self._probe_at
        if probe_at is not None and not is_ahead(probe_at, now, WAIT):
            self._become(State.HALF_OPEN)
        elif self._state is not State.CLOSED:
            raise GatewayUnavailable(
                "The payment gateway has stopped answering, and was not asked. Try again shortly."
            )
        return self._turn

    def answered(self, turn: int) -> None:
        """Whatever it said, it is there."""
        if turn != self._turn:
            return
        self._failures = 0
        if self._state is State.HALF_OPEN:
            self._become(State.CLOSED)
            _log.info("gateway_answers_again", version=self._version)

    def failed(self, turn: int) -> None:
        """No answer, or none that a working gateway gives."""
        if turn != self._turn:
            return
        self._failures += 1
        if self._state is State.HALF_OPEN or self._failures >= MOST_FAILURES:
            self._become(State.OPEN, self._clock.now() + WAIT)
            _log.warning("gateway_given_up", version=self._version, failures=self._failures)

    def _left(self, turn: int) -> None:
        # A probe without a verdict, or nobody would ever probe again. The next call is the next.
        if turn == self._turn and self._state is State.HALF_OPEN:
            self._become(State.OPEN, self._clock.now())

    def _become(self, state: State, probe_at: datetime | None = None) -> None:
        self._state, self._probe_at = state, probe_at
        self._turn += 1


class Call:
    """One call that was let through."""

    def __init__(self, breaker: Breaker, turn: int) -> None:
        self._breaker = breaker
        self.turn = turn

    def answered(self) -> None:
        self._breaker.answered(self.turn)

    def failed(self) -> None:
        self._breaker.failed(self.turn)
