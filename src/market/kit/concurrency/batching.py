"""Calls that wait at the same moment are served in one go.

A batch pays once for its statements, locks and commit, and batches grow by themselves as a rush
grows: a call that comes while one is being served waits for the next. Alone, a call is a batch of
one and waits for nobody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeAlias, TypeVar

from prometheus_client import Histogram

from market.shared.errors import MarketError, Unavailable

Request = TypeVar("Request")
Result = TypeVar("Result")
# In the order of the requests: a result, or the refusal of this one alone.
Results: TypeAlias = Sequence[Result | MarketError]

QUEUE_LENGTH_MAX = 2_000
_SIZES = Histogram(
    "market_batch_size",
    "calls served in one go",
    ["operation"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


class Batcher(Generic[Request, Result]):
    """Serves at most `batch_size` calls in one go, in `concurrency` batches at a time.

    Sheds the calls it can't serve soon (Unavailable, 503): a call that finds `queue_length` others
    waiting, and one that has waited `timeout_s` seconds when its turn comes. Neither was served.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[Sequence[Request]], Awaitable[Results[Result]]],
        *,
        batch_size: int,
        concurrency: int = 1,
        queue_length: int = QUEUE_LENGTH_MAX,
        timeout_s: float = 2.0,
    ) -> None:
        self._serve = serve
        self._batch_size = batch_size
        self._free_workers = concurrency
        self._queue_length = queue_length
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[Request, asyncio.Future[Result], float]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._sizes = _SIZES.labels(name)

    async def submit(self, request: Request) -> Result:
        """This call's own result. Raises its own refusal, or Unavailable."""
        if len(self._waiting) >= self._queue_length:
            raise Unavailable
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, result, time.monotonic() + self._timeout_s))
        if self._free_workers:
            self._free_workers -= 1
            # In a context of its own: the batch belongs to nobody's request or transaction.
            task = asyncio.create_task(self._work(), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await result

    async def _work(self) -> None:
        """Serves batch after batch until nobody waits."""
        try:
            while self._waiting:
                if batch := self._next_batch():
                    await self._answer(batch)
        finally:
            self._free_workers += 1

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Result]]]:
        """Those who waited longest, without those who went away or waited too long."""
        batch: list[tuple[Request, asyncio.Future[Result]]] = []
        now = time.monotonic()
        while self._waiting and len(batch) < self._batch_size:
            request, result, until = self._waiting.popleft()
            if result.done():
                continue
            if until < now:
                result.set_exception(Unavailable())
            else:
                batch.append((request, result))
        return batch

    async def _answer(self, batch: Sequence[tuple[Request, asyncio.Future[Result]]]) -> None:
        self._sizes.observe(len(batch))
        try:
            answers = await self._serve([request for request, _ in batch])
        except Exception as trouble:  # each of them hears of it
            if len(batch) > 1 and not isinstance(trouble, Unavailable):
                # Nothing of it was done; one of them it must have been, so each by itself.
                for one in batch:
                    await self._answer([one])
                return
            for _, result in batch:
                _resolve(result, trouble)
        except BaseException:
            for _, result in batch:
                result.cancel()
            raise
        else:
            for (_, result), answer in zip(batch, answers, strict=True):
                _resolve(result, answer)


class _Flight(Batcher[Request, Result]):
    """The calls for one thing; kept until each of them has its result."""

    callers = 0


class SingleFlight(Generic[Request, Result]):
    """Calls for the same thing at the same time share one result, found out once.

    It is found out after the last of them came in: nobody gets a result older than their own call,
    as if each had been served alone.
    """

    def __init__(self, name: str, find_out: Callable[[Request], Awaitable[Result]]) -> None:
        self._name = name
        self._find_out = find_out
        self._flights: dict[Request, _Flight[Request, Result]] = {}

    async def submit(self, request: Request) -> Result:
        flight = self._flights.get(request)
        if flight is None:
            flight = self._flights[request] = _Flight(self._name, self._for_all, batch_size=1_000)
        flight.callers += 1
        try:
            return await flight.submit(request)
        finally:
            flight.callers -= 1
            if not flight.callers:  # whoever comes now begins anew, as they must
                del self._flights[request]

    async def _for_all(self, requests: Sequence[Request]) -> Results[Result]:
        try:
            result: Result | MarketError = await self._find_out(requests[0])
        except MarketError as refusal:
            result = refusal
        return [result] * len(requests)


def _resolve(result: "asyncio.Future[Result]", answer: Result | Exception) -> None:
    if result.done():  # gone away meanwhile
        return
    if isinstance(answer, Exception):
        result.set_exception(answer)
    else:
        result.set_result(answer)
