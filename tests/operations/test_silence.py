"""Database connections that go silent, without a reset and without a close, while new ones work.

They cost the requests that are under way on them. Everything else goes on, or comes back by itself
within seconds.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from market.kit.concurrency.notifier import Notifier
from market.kit.db.connection import Limits, connect, watched
from market.kit.db.database import Database
from market.kit.db.migrate import LockRetryPolicy, migrate
from market.kit.db.pool import LIMITS
from market.shared.errors import Unavailable
from tests.operations.proxy import Line, line
from tests.operations.running import running
from tests.support.barrier import holding
from tests.support.databases import Databases

SOON = Limits(statement=timedelta(seconds=0.5), margin=timedelta(seconds=0.5))
WITHIN_S = 30
Use = Callable[[Database], Coroutine[Any, Any, object]]


@asynccontextmanager
async def pooled(cable: Line, size: int = 3) -> AsyncIterator[Database]:
    db = await Database.connect(cable.dsn, size=size, name="test", limits=SOON)
    try:
        yield db
    finally:
        async with asyncio.timeout(WITHIN_S):
            await db.close()


async def ask(db: Database) -> None:
    assert await db.fetch_value("SELECT 1") == 1


async def plan(db: Database) -> None:
    await db.fetch_custom_plan("SELECT 1")


async def write(db: Database) -> None:
    async with db.transaction():
        await db.execute("SELECT 1")


async def write_a_part(db: Database) -> None:
    async with db.transaction(), db.transaction(retryable=True):
        await db.execute("SELECT 1")


@pytest.mark.parametrize("use", [ask, plan, write, write_a_part])
async def test_a_silent_connection_costs_what_is_under_way_on_it(dsn: str, use: Use) -> None:
    async with line(dsn) as cable, pooled(cable) as db, asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(use(db) for _ in range(3)))
        cable.silence()
        under_way = await asyncio.gather(*(use(db) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in under_way] == [Unavailable] * 3
        await asyncio.gather(*(use(db) for _ in range(3)))


async def in_the_middle(db: Database, cable: Line) -> None:
    async with db.transaction():
        cable.silence()
        await db.execute("SELECT 1")


async def at_the_commit(db: Database, cable: Line) -> None:
    async with db.transaction():
        await db.execute("SELECT 1")
        cable.silence()


async def at_the_rollback(db: Database, cable: Line) -> None:
    async with db.transaction():
        cable.silence()
        raise Unavailable


async def at_the_rollback_of_a_part(db: Database, cable: Line) -> None:
    async with db.transaction(), db.transaction(retryable=True):
        cable.silence()
        raise Unavailable


@pytest.mark.parametrize(
    "when", [in_the_middle, at_the_commit, at_the_rollback, at_the_rollback_of_a_part]
)
async def test_a_transaction_ends_wherever_its_line_goes_silent(
    dsn: str, when: Callable[[Database, Line], Coroutine[Any, Any, None]]
) -> None:
    async with line(dsn) as cable, pooled(cable, size=1) as db, asyncio.timeout(WITHIN_S):
        with pytest.raises(Unavailable):
            await when(db, cable)
        await ask(db)


@pytest.mark.parametrize("use", [ask, write])
async def test_an_aborted_call_on_a_silent_connection_waits_no_longer(dsn: str, use: Use) -> None:
    async with line(dsn) as cable, pooled(cable, size=1) as db, asyncio.timeout(WITHIN_S):
        await use(db)
        cable.silence()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await use(db)
        await ask(db)


async def test_an_aborted_call_behind_a_held_row_leaves_no_trace(dsn: str, db: Database) -> None:
    """The server goes on for nobody until its own limit; what it did is not kept."""
    await db.execute("CREATE TABLE kept (id int PRIMARY KEY, n int)")
    await db.execute("INSERT INTO kept VALUES (1, 0)")

    async def add() -> None:
        async with db.transaction():
            await db.execute("UPDATE kept SET n = n + 1")

    async with holding(dsn, "kept", 1) as held:
        adding = asyncio.create_task(add())
        await held.until_waiting(1)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        await held.let_go()
    await add()
    assert await db.fetch_value("SELECT n FROM kept") == 1


async def test_nobody_asks_the_server_to_cancel_what_is_given_up(dsn: str) -> None:
    """That would be another connection, and a wait for word of it on the one that is silent."""
    async with line(dsn) as cable:
        connection = await connect(cable.dsn, "test", answer=timedelta(seconds=0.2))
        cable.silence()
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT 1")
        assert connection.is_closed()
        assert cable.taken == 1


async def test_a_connection_that_rested_is_asked_and_gives_away_the_others(dsn: str) -> None:
    """So that not even the first request after a quiet time meets a line that went silent."""
    async with line(dsn) as cable, pooled(cable) as db, asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(db.fetch_value("SELECT pg_sleep(0.1)") for _ in range(3)))
        for connection in db.pool._connections:
            assert connection.rested_at is not None
            connection.rested_at -= 60
        cable.silence()
        with capture_logs() as told:
            for _ in range(3):
                await ask(db)
        assert [line["event"] for line in told] == ["database_connection_given_up"]


async def test_a_pool_closes_though_nothing_answers(dsn: str) -> None:
    async with line(dsn) as cable:
        db = await Database.connect(cable.dsn, size=3, name="test", limits=SOON)
        await ask(db)
        cable.go_dead()
        async with asyncio.timeout(WITHIN_S):
            await db.close()


async def test_a_connection_that_is_silent_from_its_beginning_is_not_waited_for(dsn: str) -> None:
    async with line(dsn) as cable, pooled(cable) as db, asyncio.timeout(WITHIN_S):
        cable.go_dead()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await ask(db)
        cable.come_back()
        await ask(db)


def test_we_wait_longer_than_the_server_may_take() -> None:
    """Whoever runs into its limits hears so, and keeps the connection."""
    assert LIMITS.answer > LIMITS.statement > LIMITS.lock


async def test_a_statement_beyond_the_servers_limit_keeps_its_connection(dsn: str) -> None:
    async with line(dsn) as cable, pooled(cable, size=1) as db, asyncio.timeout(WITHIN_S):
        await ask(db)
        taken = cable.taken
        with pytest.raises(Unavailable):
            await db.fetch_value("SELECT pg_sleep(5)")
        await ask(db)
        assert cable.taken == taken


async def test_the_kernel_notices_a_network_that_swallows_what_is_sent(dsn: str) -> None:
    async with line(dsn) as cable:
        connection = await connect(cable.dsn, "test")
        found = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5_000
        await connection.close()


async def test_a_listener_on_a_silent_line_hears_again(dsn: str, db: Database) -> None:
    async with line(dsn) as cable, pooled(cable) as beyond:
        notifier = Notifier(beyond.listen_connection, "test")
        async with asyncio.timeout(WITHIN_S), notifier.subscribe("key") as subscription:
            assert await subscription.wait(WITHIN_S)  # it listens
            cable.silence()
            assert await subscription.wait(WITHIN_S)  # on a new line: everybody looks once
            await db.execute("NOTIFY test, 'key'")
            assert await subscription.wait(WITHIN_S)
        await notifier.close()


async def test_waiting_pages_are_served_while_listening_fails(dsn: str) -> None:
    async with line(dsn) as cable, pooled(cable) as beyond:
        cable.go_dead()
        notifier = Notifier(beyond.listen_connection, "test")
        async with asyncio.timeout(WITHIN_S), notifier.subscribe("key") as subscription:
            assert not await subscription.wait(0)
            cable.come_back()
            assert await subscription.wait(WITHIN_S)
        await notifier.close()


async def test_a_long_statement_is_dropped_once_the_server_stops_working_on_it(
    dsn: str,
) -> None:
    async with line(dsn) as cable:
        connection = await connect(cable.dsn, "test", answer=None)
        async with asyncio.timeout(WITHIN_S), watched(connection, dsn, interval_s=0.1):
            await connection.execute("SELECT 1")
            cable.silence()
            with pytest.raises(asyncpg.PostgresConnectionError):
                await connection.execute("SELECT 1")


async def test_a_long_statement_that_the_server_works_on_is_kept(dsn: str) -> None:
    connection = await connect(dsn, "test", answer=None)
    async with watched(connection, dsn, interval_s=0.05):
        await connection.execute("SELECT pg_sleep(0.5)")
    await connection.close()


async def test_verifying_on_a_silent_line_ends(dsn: str) -> None:
    async def verify(db: Database) -> None:
        async with db.long_transaction(timedelta(minutes=10)):
            cable.silence()
            await ask(db)

    async with line(dsn) as cable, pooled(cable) as db, asyncio.timeout(WITHIN_S):
        with pytest.raises(Unavailable):
            await verify(db)


async def test_a_migration_on_a_silent_line_ends(databases: Databases) -> None:
    """`market migrate` says so, and is started again."""
    async with databases.empty() as dsn, line(dsn) as cable:
        alone = await asyncpg.connect(dsn)
        await alone.execute("SELECT pg_advisory_lock(20261122)")  # another one migrates
        hasty = LockRetryPolicy(pause_s=0.05)
        migrating = asyncio.create_task(asyncio.to_thread(migrate, cable.dsn, lock_retry=hasty))
        while not await alone.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'market migrate'"
            " AND datname = current_database())"
        ):
            await alone.execute("SELECT pg_stat_clear_snapshot()")
        cable.silence()
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            async with asyncio.timeout(WITHIN_S):
                await migrating
        await alone.close()


async def test_a_worker_and_a_server_come_back_without_a_restart(dsn: str, tmp_path: Path) -> None:
    """With the limits of a real installation."""
    async with line(dsn) as cable:
        await asyncio.to_thread(_come_back, cable, dsn, tmp_path, asyncio.get_running_loop())


def _come_back(cable: Line, dsn: str, data: Path, loop: asyncio.AbstractEventLoop) -> None:
    with running("serve", cable.dsn, data) as server, running("worker", cable.dsn, data) as worker:
        last = asyncio.run(_last_run(dsn, after=None))
        loop.call_soon_threadsafe(cable.silence)
        assert asyncio.run(_last_run(dsn, after=last)) > last
        server.until_ready()
        assert server.process.poll() is None
        assert worker.process.poll() is None


async def _last_run(dsn: str, after: Any) -> Any:
    """When the worker last ended holds; what it did by then is in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await connection.fetchval(
                    "SELECT last_run FROM pgqueuer_schedules WHERE entrypoint = 'holds'"
                )
                if found is not None and (after is None or found > after):
                    return found
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
