"""LISTEN/NOTIFY by key: one connection per process listens to PostgreSQL and wakes those who wait
for a key. A notification says only that something changed; its receiver reads the rows itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context

import structlog

from market.kit.db.connection import CONNECTION_ERRORS, BoundedConnection, close

_log = structlog.get_logger()

RECONNECT_AFTER_S = 1.0
# Nothing tells a line on which nothing happens from one that has gone silent, but a question.
PROBE_INTERVAL_S = 3.0
PROBE_TIMEOUT_S = 2.0
# A subscriber that comes while the database is away is served all the same, and woken later.
READY_TIMEOUT_S = 3.0
# Where no connection can listen, every subscriber is woken this often.
POLL_INTERVAL_S = 2.0


class Subscription:
    """The changes of one key that its receiver has not taken up yet; many changes are one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Whether there was news within so many seconds; each is told once."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Notifier:
    """Listens on `channel`, whose payloads are keys, from the first listener on until closed.

    Without `connect` there is nothing to listen on: then everybody is woken every few seconds.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[BoundedConnection]] | None, channel: str
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._ready = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def subscribe(self, key: str) -> AsyncIterator[Subscription]:
        """The changes of `key` within the block; from its beginning on none is missed."""
        if self._running is None:
            # In a context of its own: it outlives the request that comes first.
            self._running = asyncio.create_task(self._run(), context=Context())
        subscription = Subscription()
        self._subscriptions.setdefault(key, set()).add(subscription)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(READY_TIMEOUT_S):
                    await self._ready.wait()
            yield subscription
        finally:
            subscriptions = self._subscriptions[key]
            subscriptions.discard(subscription)
            if not subscriptions:
                del self._subscriptions[key]

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def _run(self) -> None:
        while self._connect is None:
            self._ready.set()
            await asyncio.sleep(POLL_INTERVAL_S)
            self._wake_all()
        while True:
            try:
                await self._listen(self._connect)
            except CONNECTION_ERRORS as trouble:
                _log.warning("notifier_lost_the_database", trouble=repr(trouble))
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
                    async with asyncio.timeout(PROBE_INTERVAL_S):
                        await ended.wait()
                if not ended.is_set():
                    # safeguard: a listener probes its connection
                    await connection.execute("SELECT 1", timeout=PROBE_TIMEOUT_S)
        finally:
            await close(connection)

    def _on_news(self, _: object, __: int, ___: str, payload: object) -> None:
        self._wake(str(payload))

    def _wake_all(self) -> None:
        for key in list(self._subscriptions):
            self._wake(key)

    def _wake(self, key: str) -> None:
        for subscription in self._subscriptions.get(key, ()):
            subscription.wake()
