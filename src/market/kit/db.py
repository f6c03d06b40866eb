"""PostgreSQL through asyncpg: one pool, re-entrant transactions, SQL in the open.

Inside `transaction()` every query of the same task runs on its connection; outside, each borrows
one from the pool for itself. Ids travel as 32 hex digits and are stored as `uuid`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from market.shared.errors import Invalid, Unavailable

Row: TypeAlias = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[Row]"

# An open transaction belongs to the task that opened it, so it is found through the context.
_open: ContextVar["Connection | None"] = ContextVar("open_transaction", default=None)

# A statement waits at most this long for a row somebody else holds, and runs at most this long:
# a request that can't be served soon is better told so (503) than left to pile up.
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_MS = 15_000
ACQUIRE_TIMEOUT_S = 5.0

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

    def __init__(self, pool: "asyncpg.Pool[Row]") -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, dsn: str, *, size: int, name: str) -> "Database":
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
            },
        )
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, *, retryable: bool = False) -> AsyncIterator[None]:
        """See `shared.transactions.Transactions`. READ COMMITTED: locks are taken by name."""
        outer = _open.get()
        if outer is not None:
            if retryable:
                async with outer.transaction():
                    yield
            else:
                yield
            return
        async with self._borrowed() as connection, connection.transaction():
            token = _open.set(connection)
            try:
                yield
            finally:
                _open.reset(token)

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *args)

    async def find(self, sql: str, *args: object) -> Row | None:
        """The one row, or None."""
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *args)

    async def lock(self, sql: str, *args: object) -> Row | None:
        """Like `find`, for SELECT … FOR UPDATE: outside a transaction that would lock nothing."""
        if not in_transaction():
            raise RuntimeError("a row lock needs a transaction around it")
        return await self.find(sql, *args)

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
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = _open.get()
        if connection is not None:
            yield connection
        else:
            async with self._borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection
        except _OVERLOAD as cause:
            _log.warning("database_unavailable", trouble=repr(cause))
            raise Unavailable from cause
        except (asyncpg.CharacterNotInRepertoireError, UnicodeEncodeError) as cause:
            raise Invalid("Text has a character that cannot be kept.") from cause


async def _speak_hex_ids(connection: "asyncpg.Connection[Row]") -> None:
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=bytes.fromhex, decoder=bytes.hex, format="binary"
    )


async def _keep(connection: "asyncpg.Connection[Row]") -> None:
    """Hands a connection back to the pool as it is."""
