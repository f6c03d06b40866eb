"""How long somebody waits for the gateway: less than the gateway may take."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from market.shared.errors import GatewayUnavailable

from .ports import OutcomeUnknown

Given = ParamSpec("Given")
Told = TypeVar("Told")

# Nobody looks at a page that does not answer for longer; what a call came to is found out by a
# worker, who waits as long as the gateway advises to.
ANSWER_S = 9.0

_until: ContextVar[float | None] = ContextVar("gateway_awaited_until", default=None)


def after(seconds: float) -> float:
    """So many seconds from now, on the clock that `patience` goes by."""
    return asyncio.get_running_loop().time() + seconds


@contextmanager
def patience(until: float) -> Iterator[None]:
    """Within the block no call of the gateway is awaited any longer."""
    before = _until.get()
    _until.set(until if before is None else min(until, before))
    try:
        yield
    finally:
        _until.set(before)


def answered_soon(
    method: Callable[Given, Coroutine[Any, Any, Told]],
) -> Callable[Given, Coroutine[Any, Any, Told]]:
    """For use cases that somebody waits for: they wait for the gateway no longer than a person
    does, all calls together."""

    @wraps(method)
    async def soon(*args: Given.args, **kwargs: Given.kwargs) -> Told:
        with patience(after(ANSWER_S)):
            return await method(*args, **kwargs)

    return soon


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """A call of the gateway, not made when patience is over, and broken off when it ends: then it
    may have been carried out all the same. Raises GatewayUnavailable, OutcomeUnknown."""
    until = _until.get()
    if until is not None and until <= after(0):
        raise GatewayUnavailable
    try:
        async with asyncio.timeout_at(until) as awaited:
            yield
    except TimeoutError as cause:
        if not awaited.expired():
            raise
        raise OutcomeUnknown from cause
