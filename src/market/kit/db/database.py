"""PostgreSQL through asyncpg: one pool, re-entrant transactions, SQL in the open.

Inside `transaction()` every query of the same task runs on its connection; outside, each borrows
one from the pool for itself. Ids travel as 32 hex digits and are stored as `uuid`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeAlias

import asyncpg
import structlog
from prometheus_client import Histogram

from market.shared.errors import Invalid, Unavailable

from .connection import CONNECTION_ERRORS, BoundedConnection, Limits, Pooling, milliseconds, watched
from .pool import BUCKETS, LIMITS, Pool

Row: TypeAlias = asyncpg.Record


@dataclass(slots=True)
class _Open:
    """A transaction that is open, and since when it holds row locks. Its statements are answered
    within `answer_s` seconds, or else the connection's own time."""

    connection: BoundedConnection
    locked_at: float | None = None
    savepoints: int = 0
    answer_s: float | None = None


# An open transaction belongs to the task that opened it, so it is found through the context.
_open: ContextVar[_Open | None] = ContextVar("open_transaction", default=None)

_LOCK_HELD = Histogram(
    "market_row_lock_duration_seconds",
    "from the first row lock of a transaction to its end",
    buckets=BUCKETS,
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
    """SQL on a pool of connections to one PostgreSQL. Raises `Unavailable` where it can't serve."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._begin = "BEGIN"
        if pool.pooling is Pooling.TRANSACTION:
            # A session is nobody's here, so limits are made for each transaction. What is asked
            # outside of one has our own limit alone.
            limits = (f"SET LOCAL {name} = {ms}" for name, ms in pool.limits.settings.items())
            self._begin = "; ".join(("BEGIN", *limits))

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        size: int,
        name: str,
        limits: Limits = LIMITS,
        pooling: Pooling | None = None,
    ) -> Self:
        """Opens a pool of at most `size` connections, shown to operators under `name`."""
        return cls(await Pool.open(dsn, name, size, limits, pooling))

    @property
    def can_listen(self) -> bool:
        return self.pool.pooling is not Pooling.TRANSACTION

    async def listen_connection(self) -> BoundedConnection:
        """A connection to listen on; the caller closes it."""
        return await self.pool.beside(f"{self.pool.name} notifier")

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self, *, retryable: bool = False) -> AsyncIterator[None]:
        """See `shared.transactions.Transactions`. READ COMMITTED: locks are taken by name."""
        outer = _open.get()
        if outer is not None:
            if retryable:  # safeguard: a retryable part is a savepoint
                async with self._savepoint(outer):
                    yield
            else:
                yield
            return
        mine: _Open | None = None
        try:
            async with self._borrowed() as connection:
                await connection.execute(self._begin)
                mine = _Open(connection)
                token = _open.set(mine)
                try:
                    yield
                except asyncio.CancelledError:
                    # Whoever is broken off waits for nothing more, not even for this.
                    connection.terminate()
                    raise
                except BaseException:
                    await _take_back(connection)
                    raise
                finally:
                    _open.reset(token)
                ended = await connection.execute("COMMIT")
                if ended != "COMMIT":  # a statement of it had failed, and nobody said so
                    raise RuntimeError("the transaction was rolled back")
        finally:
            if mine is not None and mine.locked_at is not None:
                _LOCK_HELD.observe(time.perf_counter() - mine.locked_at)

    @asynccontextmanager
    async def long_transaction(self, within: timedelta) -> AsyncIterator[None]:
        """A transaction in which each statement may take so long, for questions about everything
        there ever was. It is watched meanwhile whether the server is still at it."""
        async with self.transaction():
            mine = _open.get()
            if mine is None:
                raise RuntimeError("no transaction is open")
            await self.execute(f"SET LOCAL statement_timeout = {milliseconds(within)}")
            mine.answer_s = (within + self.pool.limits.margin).total_seconds()
            async with watched(mine.connection, self.pool.dsn):
                yield

    @asynccontextmanager
    async def _savepoint(self, mine: _Open) -> AsyncIterator[None]:
        mine.savepoints += 1
        name, connection = f"part_{mine.savepoints}", mine.connection
        await connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except asyncio.CancelledError:
            raise  # the whole transaction ends with it
        except BaseException:
            if not connection.is_closed():
                back = f"ROLLBACK TO {name}; RELEASE {name}"
                await connection.execute(back)
            raise
        await connection.execute(f"RELEASE {name}")

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        async with self._connection() as (connection, within):
            return await connection.fetch(sql, *args, timeout=within)

    async def fetch_custom_plan(self, sql: str, *args: object) -> list[Row]:
        """Like `fetch`, planned for these very values. A plan that is kept has to do for all."""
        async with self._connection() as (connection, within):
            statement = await connection.prepare(sql, name="")
            return await statement.fetch(*args, timeout=within)

    async def fetch_one(self, sql: str, *args: object) -> Row | None:
        """The one row, or None."""
        async with self._connection() as (connection, within):
            return await connection.fetchrow(sql, *args, timeout=within)

    async def fetch_one_for_update(self, sql: str, *args: object) -> Row | None:
        """Like `find`, for SELECT … FOR UPDATE: outside a transaction that would lock nothing."""
        async with self._locking():
            return await self.fetch_one(sql, *args)

    async def fetch_for_update(self, sql: str, *args: object) -> list[Row]:
        """Like `lock`, for several rows, which the statement takes in an order of its own."""
        async with self._locking():
            return await self.fetch(sql, *args)

    async def fetch_value(self, sql: str, *args: object) -> Any:
        async with self._connection() as (connection, within):
            return await connection.fetchval(sql, *args, timeout=within)

    async def execute(self, sql: str, *args: object) -> int:
        """Runs one statement; the number of rows it touched."""
        async with self._connection() as (connection, within):
            status = await connection.execute(sql, *args, timeout=within)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    @asynccontextmanager
    async def _locking(self) -> AsyncIterator[None]:
        mine = _open.get()
        if mine is None:
            # safeguard: no row lock outside a transaction
            raise RuntimeError("a row lock needs a transaction around it")
        yield
        # Only now: until the statement is through, it may have waited for somebody else's lock.
        if mine.locked_at is None:
            mine.locked_at = time.perf_counter()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[BoundedConnection, float | None]]:
        """The connection to ask on, and within how many seconds, if not its own time."""
        mine = _open.get()
        if mine is not None:
            yield mine.connection, mine.answer_s
        else:
            async with self._borrowed() as connection:
                yield connection, None

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[BoundedConnection]:
        try:
            async with self.pool.borrowed() as connection:
                yield connection
        except _OVERLOAD as cause:
            _log.warning("database_unavailable", trouble=repr(cause))
            raise Unavailable from cause
        except (asyncpg.CharacterNotInRepertoireError, UnicodeEncodeError) as cause:
            raise Invalid("Text has a character that cannot be kept.") from cause


async def _take_back(connection: BoundedConnection) -> None:
    """Rolls back, where that is still to be done; why it must is for others to hear."""
    if connection.is_closed():
        return
    try:
        await connection.execute("ROLLBACK")
    except CONNECTION_ERRORS:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise
