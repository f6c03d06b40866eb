"""Calls that wait at the same moment are served in one go.

What a statement, a lock or a commit costs is then paid once per group, and groups grow by
themselves as a rush grows: whoever comes while one is being served waits for the next. Alone,
a caller is a group of one and waits for nobody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeAlias, TypeVar

from prometheus_client import Histogram

from market.shared.errors import MarketError, Unavailable

Ask = TypeVar("Ask")
Told = TypeVar("Told")
# In the order of what was asked: an answer, or the refusal of this one alone.
Answers: TypeAlias = Sequence[Told | MarketError]

LONGEST_QUEUE = 2_000
_SIZES = Histogram(
    "market_group_size",
    "calls served in one go",
    ["of"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


class Together(Generic[Ask, Told]):
    """Serves at most `most` calls in one go, in `lanes` groups at a time.

    Sheds what it can't serve soon (Unavailable, 503): a call that finds `queue` others waiting,
    and one that has waited `patience` seconds when its turn comes. Whoever shed it was not served.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[Sequence[Ask]], Awaitable[Answers[Told]]],
        *,
        most: int,
        lanes: int = 1,
        queue: int = LONGEST_QUEUE,
        patience: float = 2.0,
    ) -> None:
        self._serve = serve
        self._most = most
        self._free_lanes = lanes
        self._queue = queue
        self._patience = patience
        self._waiting: deque[tuple[Ask, asyncio.Future[Told], float]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._sizes = _SIZES.labels(name)

    async def ask(self, ask: Ask) -> Told:
        """This call's own answer. Raises its own refusal, or Unavailable."""
        if len(self._waiting) >= self._queue:
            raise Unavailable
        told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, told, time.monotonic() + self._patience))
        if self._free_lanes:
            self._free_lanes -= 1
            # In a context of its own: the group belongs to nobody's request or transaction.
            task = asyncio.create_task(self._work(), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await told

    async def _work(self) -> None:
        """Serves group after group until nobody waits."""
        try:
            while self._waiting:
                if group := self._next_group():
                    await self._answer(group)
        finally:
            self._free_lanes += 1

    def _next_group(self) -> list[tuple[Ask, asyncio.Future[Told]]]:
        """Those who waited longest, without those who went away or waited too long."""
        group: list[tuple[Ask, asyncio.Future[Told]]] = []
        now = time.monotonic()
        while self._waiting and len(group) < self._most:
            ask, told, until = self._waiting.popleft()
            if told.done():
                continue
            if until < now:
                told.set_exception(Unavailable())
            else:
                group.append((ask, told))
        return group

    async def _answer(self, group: Sequence[tuple[Ask, asyncio.Future[Told]]]) -> None:
        self._sizes.observe(len(group))
        try:
            answers = await self._serve([ask for ask, _ in group])
        except Exception as trouble:  # each of them hears of it
            if len(group) > 1 and not isinstance(trouble, Unavailable):
                # Nothing of it was done; one of them it must have been, so each by itself.
                for one in group:
                    await self._answer([one])
                return
            for _, told in group:
                _tell(told, trouble)
        except BaseException:
            for _, told in group:
                told.cancel()
            raise
        else:
            for (_, told), answer in zip(group, answers, strict=True):
                _tell(told, answer)


class _Line(Together[Ask, Told]):
    """Those who ask the same thing; kept as long as one of them has not been told."""

    askers = 0


class Shared(Generic[Ask, Told]):
    """Who asks the same thing at the same time is told the same, found out once.

    It is found out after the last of them has asked: nobody is told less than what was so when
    they asked, as if each had been served alone.
    """

    def __init__(self, name: str, find_out: Callable[[Ask], Awaitable[Told]]) -> None:
        self._name = name
        self._find_out = find_out
        self._lines: dict[Ask, _Line[Ask, Told]] = {}

    async def ask(self, ask: Ask) -> Told:
        line = self._lines.get(ask)
        if line is None:
            line = self._lines[ask] = _Line(self._name, self._for_all, most=1_000)
        line.askers += 1
        try:
            return await line.ask(ask)
        finally:
            line.askers -= 1
            if not line.askers:  # whoever comes now begins anew, as they must
                del self._lines[ask]

    async def _for_all(self, asks: Sequence[Ask]) -> Answers[Told]:
        try:
            told: Told | MarketError = await self._find_out(asks[0])
        except MarketError as refusal:
            told = refusal
        return [told] * len(asks)


def _tell(told: "asyncio.Future[Told]", answer: Told | Exception) -> None:
    if told.done():  # gone away meanwhile
        return
    if isinstance(answer, Exception):
        told.set_exception(answer)
    else:
        told.set_result(answer)
