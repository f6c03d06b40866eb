"""Hearing of changes: one connection per process listens to PostgreSQL, and whoever waits for one
key is woken. What is heard says only that something changed; look yourself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context

import structlog

from .connection import TROUBLE, BoundedConnection, close

_log = structlog.get_logger()

RECONNECT_AFTER_S = 1.0
# Nothing tells a line on which nothing happens from one that has gone silent, but a question.
ASKED_EVERY_S = 3.0
ASKED_WITHIN_S = 2.0
# Who comes while the database is away is served all the same, and woken when it is back.
READY_WITHIN_S = 3.0
# Where nobody can listen, everybody looks for themselves so often.
LOOK_EVERY_S = 2.0


class Heard:
    """What one listener has heard and not yet taken up: many changes are one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def within(self, seconds: float) -> bool:
        """Whether there was news within so many seconds; each is told once."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Hearing:
    """Listens on `channel`, whose payloads are keys, from the first listener on until closed.

    Without `connect` there is nothing to listen on: then everybody is woken every few seconds.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[BoundedConnection]] | None, channel: str
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._listeners: dict[str, set[Heard]] = {}
        self._ready = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[Heard]:
        """What is said of `key` within the block; from its beginning on nothing is missed."""
        if self._running is None:
            # In a context of its own: it outlives the request that comes first.
            self._running = asyncio.create_task(self._run(), context=Context())
        heard = Heard()
        self._listeners.setdefault(key, set()).add(heard)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(READY_WITHIN_S):
                    await self._ready.wait()
            yield heard
        finally:
            listeners = self._listeners[key]
            listeners.discard(heard)
            if not listeners:
                del self._listeners[key]

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def _run(self) -> None:
        while self._connect is None:
            self._ready.set()
            await asyncio.sleep(LOOK_EVERY_S)
            self._wake_all()
        while True:
            try:
                await self._listen(self._connect)
            except TROUBLE as trouble:
                _log.warning("hearing_lost_the_database", trouble=repr(trouble))
            self._ready.clear()
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self, connect: Callable[[], Awaitable[BoundedConnection]]) -> None:
        connection = await connect()
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(self._channel, self._on_news)
            self._ready.set()
            # What was said while nobody listened is lost: everybody looks once.
            self._wake_all()
            while not ended.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASKED_EVERY_S):
                        await ended.wait()
                if not ended.is_set():
                    # safeguard: a listener probes its connection
                    await connection.execute("SELECT 1", timeout=ASKED_WITHIN_S)
        finally:
            await close(connection)

    def _on_news(self, _: object, __: int, ___: str, payload: object) -> None:
        self._wake(str(payload))

    def _wake_all(self) -> None:
        for key in list(self._listeners):
            self._wake(key)

    def _wake(self, key: str) -> None:
        for heard in self._listeners.get(key, ()):
            heard.wake()
