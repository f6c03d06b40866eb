"""PostgreSQL through asyncpg: one pool, re-entrant transactions, SQL in the open.

Inside `transaction()` every query of the same task runs on its connection; outside, each borrows
one from the pool for itself. Ids travel as 32 hex digits and are stored as `uuid`.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from prometheus_client import Histogram

from market.shared.errors import Invalid, Unavailable

Row: TypeAlias = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[Row]"


@dataclass(slots=True)
class _Open:
    """A transaction that is open, and since when it holds row locks."""

    connection: Connection
    locked_at: float | None = None


# An open transaction belongs to the task that opened it, so it is found through the context.
_open: ContextVar[_Open | None] = ContextVar("open_transaction", default=None)

# A statement waits at most this long for a row somebody else holds, and runs at most this long:
# a request that can't be served soon is better told so (503) than left to pile up.
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_MS = 15_000
ACQUIRE_TIMEOUT_S = 5.0
# So many may wait per connection; whoever comes then would hardly be served in time.
MOST_WAITING = 50

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_CONNECTION_HELD = Histogram(
    "market_connection_held_seconds", "from borrowing a connection to its return", buckets=_BUCKETS
)
_LOCK_HELD = Histogram(
    "market_lock_held_seconds",
    "from the first row lock of a transaction to its end",
    buckets=_BUCKETS,
)
_CONNECTION_AWAITED = Histogram(
    "market_connection_awaited_seconds",
    "from asking for a connection to having it",
    buckets=_BUCKETS,
)

_log = structlog.get_logger()

_OVERLOAD = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.DeadlockDetectedError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,  # a connection that was closed under us
    asyncpg.InternalClientError,  # the same, as it is noticed when a commit is about to be sent
    # Refused, reset, too slow, or with no socket there to connect to: PostgreSQL takes its own away
    # when it stops.
    OSError,
)


def in_transaction() -> bool:
    """Whether this task holds a transaction open. A network call never happens in one."""
    return _open.get() is not None


class Database:
    """A pool of connections to one PostgreSQL. Raises `Unavailable` where it can't serve."""

    def __init__(self, pool: "asyncpg.Pool[Row]", dsn: str, name: str) -> None:
        self._pool = pool
        self._waiting = 0
        self._most_waiting = MOST_WAITING * pool.get_max_size()
        self._dsn = dsn
        self._name = name

    @classmethod
    async def connect(cls, dsn: str, *, size: int, name: str) -> Self:
        """Opens a pool of at most `size` connections, shown to operators under `name`."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min(2, size),
            max_size=size,
            init=_speak_hex_ids,
            # Nothing of ours outlives its transaction, so there is nothing to reset on release:
            # asyncpg's own reset would cost a round trip per borrowing.
            reset=_keep,
            timeout=ACQUIRE_TIMEOUT_S,
            server_settings={
                "application_name": name,
                "timezone": "UTC",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                # A plan is kept for as long as its connection. One made while a table was short
                # would read all of it, again and again, when a rush has filled it: a purchase
                # came to cost forty times as much. Whatever a request asks for has an index.
                "enable_seqscan": "off",
                # Two more processes for one request are two fewer for the others, and starting them
                # takes longer than most of what they would help with.
                "max_parallel_workers_per_gather": "0",
            },
        )
        return cls(pool, dsn, name)

    async def listening(self) -> "asyncpg.Connection[Row]":
        """A connection beside the pool, for whoever listens; theirs to close."""
        settings = {"application_name": f"{self._name} hearing"}
        return await asyncpg.connect(self._dsn, timeout=ACQUIRE_TIMEOUT_S, server_settings=settings)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, *, retryable: bool = False) -> AsyncIterator[None]:
        """See `shared.transactions.Transactions`. READ COMMITTED: locks are taken by name."""
        outer = _open.get()
        if outer is not None:
            if retryable:
                async with outer.connection.transaction():
                    yield
            else:
                yield
            return
        mine: _Open | None = None
        try:
            async with self._borrowed() as connection, connection.transaction():
                mine = _Open(connection)
                token = _open.set(mine)
                try:
                    yield
                finally:
                    _open.reset(token)
        finally:
            if mine is not None and mine.locked_at is not None:
                _LOCK_HELD.observe(time.perf_counter() - mine.locked_at)

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *args)

    async def fetch_planned(self, sql: str, *args: object) -> list[Row]:
        """Like `fetch`, planned for these very values. A plan that is kept has to do for all."""
        async with self._connection() as connection:
            statement = await connection.prepare(sql, name="")
            return await statement.fetch(*args)

    async def find(self, sql: str, *args: object) -> Row | None:
        """The one row, or None."""
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def lock(self, sql: str, *args: object) -> Row | None:
        """Like `find`, for SELECT … FOR UPDATE: outside a transaction that would lock nothing."""
        async with self._locking():
            return await self.find(sql, *args)

    async def lock_all(self, sql: str, *args: object) -> list[Row]:
        """Like `lock`, for several rows, which the statement takes in an order of its own."""
        async with self._locking():
            return await self.fetch(sql, *args)

    async def value(self, sql: str, *args: object) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Runs one statement; the number of rows it touched."""
        async with self._connection() as connection:
            status = await connection.execute(sql, *args)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    @asynccontextmanager
    async def _locking(self) -> AsyncIterator[None]:
        mine = _open.get()
        if mine is None:
            raise RuntimeError("a row lock needs a transaction around it")
        yield
        # Only now: until the statement is through, it may have waited for somebody else's lock.
        if mine.locked_at is None:
            mine.locked_at = time.perf_counter()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        mine = _open.get()
        if mine is not None:
            yield mine.connection
        else:
            async with self._borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._acquired()
            began = time.perf_counter()
            try:
                yield connection
            finally:
                await self._pool.release(connection)
                _CONNECTION_HELD.observe(time.perf_counter() - began)
        except _OVERLOAD as cause:
            _log.warning("database_unavailable", trouble=repr(cause))
            raise Unavailable from cause
        except (asyncpg.CharacterNotInRepertoireError, UnicodeEncodeError) as cause:
            raise Invalid("Text has a character that cannot be kept.") from cause

    async def _acquired(self) -> Connection:
        """A connection from the pool. Raises Unavailable where too many wait for one already."""
        if self._waiting >= self._most_waiting:
            raise Unavailable
        self._waiting += 1
        began = time.perf_counter()
        try:
            return await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        finally:
            self._waiting -= 1
            _CONNECTION_AWAITED.observe(time.perf_counter() - began)


async def _speak_hex_ids(connection: "asyncpg.Connection[Row]") -> None:
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=bytes.fromhex, decoder=bytes.hex, format="binary"
    )


async def _keep(connection: "asyncpg.Connection[Row]") -> None:
    """Hands a connection back to the pool as it is."""
