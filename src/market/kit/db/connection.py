"""Connections to PostgreSQL on which every wait has an end.

The server limits how long a statement waits and runs. That limit is of no use on a line that has
gone silent, without a reset and without a close: so we wait for each answer a little longer than
the server may take, and then drop the connection.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog

if TYPE_CHECKING:
    AsyncpgConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    AsyncpgConnection = asyncpg.Connection

CONNECT_TIMEOUT_S = 5.0
# A network that swallows what we send is noticed by the kernel sooner than by a statement's limit:
# data that nobody has acknowledged, and probes of a line on which nothing is under way.
_SOCKET = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 3),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 5_000),  # milliseconds
)
SOCKET_OPTIONS = tuple(
    (level, getattr(socket, name), value) for level, name, value in _SOCKET if hasattr(socket, name)
)

# What a connection says when it can't be used any more, or can't be had.
CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_log = structlog.get_logger()


class Pooling(Enum):
    """What stands between us and the database, and how long it leaves us a server's session."""

    NONE = auto()
    SESSION = auto()
    TRANSACTION = auto()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the server lets a statement wait for a lock, and run; and how long a transaction may
    stay open with nothing to do. `margin` is how much longer we wait for an answer ourselves:
    whoever runs into the server's limit hears so, and the connection stays."""

    lock: timedelta = timedelta(seconds=5)
    statement: timedelta = timedelta(seconds=10)
    idle_in_transaction: timedelta = timedelta(seconds=15)
    margin: timedelta = timedelta(seconds=2)

    @property
    def answer(self) -> timedelta:
        """How long we wait for a statement's answer."""
        return self.statement + self.margin

    @property
    def settings(self) -> Mapping[str, str]:
        """As PostgreSQL's settings, in milliseconds."""
        return {
            "lock_timeout": milliseconds(self.lock),
            "statement_timeout": milliseconds(self.statement),
            "idle_in_transaction_session_timeout": milliseconds(self.idle_in_transaction),
        }


def milliseconds(time: timedelta) -> str:
    return str(int(time.total_seconds() * 1000))


class BoundedConnection(AsyncpgConnection):
    """A connection that is dropped when an answer does not come in time, and when whoever waited
    for it was broken off. Nothing that was under way on it is known to have happened.

    `rested_at` is since when nobody uses it, on the loop's clock; None while somebody does.
    """

    __slots__ = ("rested_at",)
    rested_at: float | None

    def itself(self) -> "BoundedConnection":
        """This very connection: a pool hands out proxies, which are of no use once it is closed."""
        return self

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        """asyncpg would ask the server to cancel, and then wait for word of it on this very line:
        without a limit, where none is set (MagicStack/asyncpg#1326). The server's own limits end
        what it still does for nobody."""
        # safeguard: an abandoned connection is dropped, not cancelled
        asyncio.get_running_loop().call_soon(self.terminate)


_ANSWER = Limits().answer


async def connect(
    dsn: str,
    name: str,
    *,
    settings: Mapping[str, str] | None = None,
    answer: timedelta | None = _ANSWER,
    pooling: Pooling = Pooling.NONE,
) -> BoundedConnection:
    """A connection, shown to operators under `name`, on which each answer must come within
    `answer`. Raises OSError, or what PostgreSQL says.

    `settings` are made once it is there: as startup parameters a pooler would refuse them. Where
    each transaction may go to another server they are left out, for they would stay with whoever
    comes next; there, too, no statement can be kept prepared.
    """
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        connection: BoundedConnection = await asyncpg.connect(
            dsn,
            connection_class=BoundedConnection,
            command_timeout=answer.total_seconds() if answer else None,
            statement_cache_size=0 if pooling is Pooling.TRANSACTION else 100,
            # The two that every pooler takes, and sets anew for each of its clients.
            server_settings={"application_name": name, "timezone": "UTC"},
        )
        try:
            _mind_the_socket(connection)
            connection.rested_at = None
            if settings and pooling is not Pooling.TRANSACTION:
                await connection.execute(
                    "SELECT set_config(name, value, false)"
                    " FROM unnest($1::text[], $2::text[]) AS s (name, value)",
                    list(settings),
                    list(settings.values()),
                )
        except BaseException:
            connection.terminate()
            raise
        return connection


async def find_pooling(dsn: str) -> Pooling:
    """Whether a pooler stands before the database, and which kind of. Raises as `connect`.

    A pooler makes up the process ids that it tells its clients. Where no server is anybody's,
    clients that ask at the same moment, in an order that changes, are soon given each other's.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_connected(dsn))]
        if await _backend(clients[0]) == clients[0].get_server_pid():
            return Pooling.NONE
        clients += [await stack.enter_async_context(_connected(dsn)) for _ in range(_CLIENTS - 1)]
        given: dict[BoundedConnection, int] = {}
        for _ in range(_ROUNDS):
            clients = clients[1:] + clients[:1]
            for client, pid in zip(
                clients, await asyncio.gather(*map(_backend, clients)), strict=True
            ):
                if given.setdefault(client, pid) != pid:
                    return Pooling.TRANSACTION
            if len(set(given.values())) < len(clients):
                return Pooling.TRANSACTION
    return Pooling.SESSION


_CLIENTS, _ROUNDS = 3, 10


async def _backend(connection: BoundedConnection) -> int:
    """Which server process is at the other end just now."""
    return int(await connection.fetchval("SELECT pg_backend_pid()"))


def warn_of_pooling(pooling: Pooling) -> None:
    """One line in the log, where something can't work because of what stands before it."""
    if pooling is Pooling.TRANSACTION:
        _log.warning(
            "database_pooled",
            detail="DATABASE_URL leads through a pooler that may give every transaction another"
            " session, so nobody can LISTEN: workers and waiting pages look for news every one or"
            " two seconds instead.",
        )


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[BoundedConnection]:
    # As if no statement could be kept, for that is not known yet.
    connection = await connect(dsn, "market look", pooling=Pooling.TRANSACTION)
    try:
        yield connection
    finally:
        await close(connection)


async def close(connection: BoundedConnection) -> None:
    """Closes it in peace, or else without."""
    with suppress(*CONNECTION_ERRORS):
        await connection.close(timeout=1)


def _mind_the_socket(connection: BoundedConnection) -> None:
    """asyncpg has no option for it."""
    transport: asyncio.BaseTransport = connection._transport  # type: ignore[attr-defined] # noqa: SLF001
    found = transport.get_extra_info("socket")
    if found is None or found.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with socket.socket(fileno=os.dup(found.fileno())) as own:
        for level, option, value in SOCKET_OPTIONS:
            own.setsockopt(level, option, value)


# ── statements that may take long ──

ACTIVITY_INTERVAL_S = 5.0
_STATE = "SELECT state, state_change FROM pg_stat_activity WHERE pid = $1"


@asynccontextmanager
async def watched(
    connection: BoundedConnection, dsn: str, interval_s: float = ACTIVITY_INTERVAL_S
) -> AsyncIterator[None]:
    """For the block, in which a statement may take minutes: drops the connection when the server
    has nothing more to do for it, and we have not heard so.

    Asks on another connection every few seconds. Of two looks that find the server idle since the
    same moment, the answer to what we sent is lost, or what we sent never came.
    """
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    watching = asyncio.create_task(_watch(connection, dsn, pid, interval_s))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(connection: BoundedConnection, dsn: str, pid: int, interval_s: float) -> None:
    before: object = None
    while not connection.is_closed():
        await asyncio.sleep(interval_s)
        try:
            other = await connect(dsn, "market look", pooling=Pooling.TRANSACTION)
            try:
                found = await other.fetchrow(_STATE, pid)
            finally:
                await close(other)
        except CONNECTION_ERRORS as trouble:
            _log.warning("statement_not_watched", trouble=repr(trouble))
            continue
        idle = ("gone",) if found is None else tuple(found)
        # safeguard: a long statement's connection is watched
        if idle[0] != "active" and idle == before:
            _log.warning("database_silent", pid=pid, state=idle[0])
            connection.terminate()
        before = idle
