"""A pool of connections to one PostgreSQL, of which none is waited for without an end.

A connection that has gone silent costs the requests that are under way on it. What rested for a
while is asked first whether it still answers; the first that does not gives away the others, for
they lead the same way.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Self, TypeAlias
from weakref import WeakSet

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from prometheus_client import Histogram

from market.shared.errors import Unavailable

from .connection import CONNECTION_ERRORS, BoundedConnection, Limits, Pooling, connect, find_pooling

Borrowed: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

# A request that can't be served soon is better told so (503) than left to pile up.
LIMITS = Limits()
# Of a connection beside the pool, which asks only what is quickly answered.
BESIDE = Limits(statement=timedelta(seconds=4))
ACQUIRE_TIMEOUT_S = 5.0
# So many may wait per connection; whoever comes then would hardly be served in time.
WAITING_PER_CONNECTION_MAX = 50
# A connection that nobody used for longer than this is asked whether it still answers, and has so
# long to do it: a rush never pays for the question.
PROBE_AFTER_S = 1.0
PROBE_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 5.0
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

_PLANNING = {
    # A plan is kept for as long as its connection. One made while a table was short would read all
    # of it, again and again, when a rush has filled it: a purchase came to cost forty times as
    # much. Whatever a request asks for has an index.
    "enable_seqscan": "off",
    # Two more processes for one request are two fewer for the others, and starting them takes
    # longer than most of what they would help with.
    "max_parallel_workers_per_gather": "0",
}
_HELD = Histogram(
    "db_client_connection_use_time_seconds",
    "from borrowing a connection to its return",
    buckets=BUCKETS,
)
_AWAITED = Histogram(
    "db_client_connection_wait_time_seconds",
    "from asking for a connection to having it",
    buckets=BUCKETS,
)

_log = structlog.get_logger()


class Pool:
    """Lends connections; opened by `open`. Its methods raise what asyncpg raises."""

    def __init__(self, dsn: str, name: str, limits: Limits, pooling: Pooling) -> None:
        self.dsn = dsn
        self.name = name
        self.limits = limits
        self.pooling = pooling
        self._waiting = 0
        self._connections: WeakSet[BoundedConnection] = WeakSet()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    @classmethod
    async def open(
        cls, dsn: str, name: str, size: int, limits: Limits, pooling: Pooling | None
    ) -> Self:
        """At most `size` connections, shown to operators under `name`. What stands before the
        database is found out where it is not said."""
        pool = cls(dsn, name, limits, pooling or await find_pooling(dsn))
        pool._pool = await asyncpg.create_pool(  # type: ignore[call-overload] # knows no _connect
            dsn,
            min_size=min(2, size),
            max_size=size,
            connect=pool._connect,
            connection_class=BoundedConnection,
            # Nothing of ours outlives its transaction, so there is nothing to reset on release:
            # asyncpg's own reset would cost a round trip per borrowing.
            reset=_rest,
        )
        return pool

    async def close(self) -> None:
        """Closes every connection; those that don't answer, without a word."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._opened.close()
        except TimeoutError:
            self.terminate()

    def terminate(self) -> None:
        """Drops every connection at once."""
        self._opened.terminate()

    async def beside(self, name: str) -> BoundedConnection:
        """A connection beside the pool, for whoever keeps one; theirs to close."""
        return await connect(
            self.dsn,
            name,
            settings=BESIDE.settings,
            answer=BESIDE.answer,
            pooling=self.pooling,
        )

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[BoundedConnection]:
        """A connection for the block. It is dropped when the block is broken off."""
        borrowed = await self._acquired()
        connection = _own(borrowed)
        began = time.perf_counter()
        try:
            yield connection
        except asyncio.CancelledError:
            connection.terminate()
            raise
        finally:
            await self._release(borrowed, connection)
            _HELD.observe(time.perf_counter() - began)

    async def _acquired(self) -> Borrowed:
        """Raises Unavailable where too many wait for a connection already."""
        if self._waiting >= WAITING_PER_CONNECTION_MAX * self._opened.get_max_size():
            raise Unavailable
        self._waiting += 1
        began = time.monotonic()
        try:
            while True:
                left = ACQUIRE_TIMEOUT_S - (time.monotonic() - began)
                borrowed = await self._opened.acquire(timeout=max(left, 0.1))
                if await self._still_answers(_own(borrowed)):
                    return borrowed
        finally:
            self._waiting -= 1
            _AWAITED.observe(time.monotonic() - began)

    async def _still_answers(self, connection: BoundedConnection) -> bool:
        """Takes a connection that rested into use; False when it is given up."""
        rested_at, connection.rested_at = connection.rested_at, None
        now = time.monotonic()
        # safeguard: an idle connection is probed before it is used
        if rested_at is None or now - rested_at < PROBE_AFTER_S:
            return True
        try:
            await connection.execute("SELECT 1", timeout=PROBE_TIMEOUT_S)
        except CONNECTION_ERRORS as trouble:
            _log.warning("database_connection_given_up", trouble=repr(trouble))
            connection.terminate()
            # safeguard: one silent connection makes the pool drop its idle ones
            self._drop_rested(before=now)
            return False
        except BaseException:
            connection.terminate()
            raise
        return True

    def _drop_rested(self, before: float) -> None:
        for connection in list(self._connections):
            if connection.rested_at is not None and connection.rested_at < before:
                connection.terminate()

    async def _release(self, borrowed: Borrowed, connection: BoundedConnection) -> None:
        if connection.is_closed():
            connection.terminate()  # which makes its place in the pool free
        else:
            await self._opened.release(borrowed)

    async def _connect(self, dsn: str, **_: object) -> BoundedConnection:
        """How the pool comes by a connection."""
        connection = await connect(
            dsn,
            self.name,
            settings={**self.limits.settings, **_PLANNING},
            answer=self.limits.answer,
            pooling=self.pooling,
        )
        try:
            await connection.set_type_codec(
                "uuid",
                schema="pg_catalog",
                encoder=bytes.fromhex,
                decoder=bytes.hex,
                format="binary",
            )
        except BaseException:
            connection.terminate()
            raise
        connection.rested_at = time.monotonic()  # until somebody takes it
        self._connections.add(connection)
        return connection

    @property
    def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None:
            raise RuntimeError("this pool was not opened")
        return self._pool


def _own(borrowed: Borrowed) -> BoundedConnection:
    """The connection itself: the proxy that a pool lends is of no use once it is closed."""
    connection: BoundedConnection = borrowed.itself()  # type: ignore[attr-defined]
    return connection


async def _rest(connection: BoundedConnection) -> None:
    """Hands a connection back to the pool as it is."""
    connection.rested_at = time.monotonic()
