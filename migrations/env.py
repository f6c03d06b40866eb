"""Runs migrations over asyncpg, each in a transaction of its own. Started by `market migrate`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import stamina
from alembic import context
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from market.kit.db.connection import (
    CONNECTION_ERRORS,
    BoundedConnection,
    Pooling,
    close,
    connect,
    find_pooling,
    watched,
)
from market.kit.db.migrate import LockRetryPolicy

NAME = "market migrate"  # as operators see it
ALONE = "SELECT pg_try_advisory_xact_lock(20261122)"  # safeguard: one migration at a time
ASKED_EVERY_S = 3.0


def run(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def lock_timeout_of(error: Exception) -> asyncpg.LockNotAvailableError | None:
    """The driver's word that a lock was not to be had in time, if it is that."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None
    return cause if isinstance(cause, asyncpg.LockNotAvailableError) else None


def lost_line_of(error: DBAPIError) -> Exception | None:
    """The driver's word that the connection was lost, if it is that."""
    cause = error.orig.__cause__ if error.orig else None
    lost = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
    return cause if isinstance(cause, lost) else None


@asynccontextmanager
async def alone(
    dsn: str, pooling: Pooling, lock_retry: LockRetryPolicy
) -> AsyncIterator[BoundedConnection]:
    """For the block, nobody else migrates. However long another takes: but not within a statement,
    whose snapshot an index that the other builds concurrently would wait for.

    The lock is a transaction's, on a connection of its own: before a pooler, a session would not be
    ours to keep one. When that connection is lost, so is the lock.
    """
    connection = await connect(dsn, NAME, pooling=pooling)
    try:
        while True:
            transaction = connection.transaction()
            await transaction.start()
            if await connection.fetchval(ALONE):
                # It may stay open for hours. And this ends the portal of the question before, with
                # the snapshot that an index built concurrently would wait for.
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                break
            await transaction.rollback()
            await asyncio.sleep(lock_retry.pause_s)
        asking = asyncio.create_task(_ask(connection))
        try:
            yield connection
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
    finally:
        await close(connection)


async def _ask(connection: BoundedConnection) -> None:
    """Whether it still answers: one that does not is dropped."""
    with suppress(*CONNECTION_ERRORS):
        while True:
            await asyncio.sleep(ASKED_EVERY_S)
            await connection.execute("SELECT 1")


async def migrate(connection: AsyncConnection, lock_retry: LockRetryPolicy) -> None:
    """Every migration that was not run yet; the same one again when it got no lock in time."""
    async for attempt in stamina.retry_context(
        on=lambda error: lock_timeout_of(error) is not None,
        attempts=lock_retry.attempts,
        timeout=None,
        wait_initial=lock_retry.pause_s,
        wait_max=lock_retry.pause_s,
        wait_jitter=0,
        wait_exp_base=1,
    ):
        with attempt:
            await connection.run_sync(run)
    await connection.commit()


async def main() -> None:
    dsn, lock_retry = context.config.attributes["dsn"], context.config.attributes["lock_retry"]
    pooling = await find_pooling(dsn)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "async_creator_fn": lambda: connect(dsn, NAME, answer=None, pooling=pooling),
            # Before a pooler the next transaction may find another's statement by that name.
            "prepared_statement_name_func": str,
            "prepared_statement_cache_size": 0,
        },
        poolclass=NullPool,
    )

    # A migration that can't get its lock soon gives up: waiting, it would hold up everybody who
    # comes after it. It tries again when they were served.
    @event.listens_for(engine.sync_engine, "begin")
    def limit(connection: Connection) -> None:
        lock_timeout = (
            f"{lock_retry.lock_timeout_ms}ms"  # safeguard: migrations have a lock timeout
        )
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{lock_timeout}'")

    try:
        async with AsyncExitStack() as stack:
            lock = await stack.enter_async_context(alone(dsn, pooling, lock_retry))
            connection = await stack.enter_async_context(engine.connect())
            own: BoundedConnection = (await connection.get_raw_connection()).driver_connection
            lock.add_termination_listener(lambda _: own.terminate())
            if pooling is not Pooling.TRANSACTION:  # where each transaction has another process
                await stack.enter_async_context(watched(own, dsn))
            await migrate(connection, lock_retry)
    except DBAPIError as error:
        raise lock_timeout_of(error) or lost_line_of(error) or error from error
    finally:
        await engine.dispose()


asyncio.run(main())
