"""Runs migrations over asyncpg, each in a transaction of its own. Started by `market migrate`."""

import asyncio

import asyncpg
import stamina
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from market.kit.migrate import Patience

NAME = "market migrate"  # as operators see it
ALONE = "SELECT pg_try_advisory_lock(20261122)"


def run(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def lock_timeout_of(error: Exception) -> asyncpg.LockNotAvailableError | None:
    """The driver's word that a lock was not to be had in time, if it is that."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None
    return cause if isinstance(cause, asyncpg.LockNotAvailableError) else None


async def migrate(connection: AsyncConnection, patience: Patience) -> None:
    """Every migration that was not run yet; the same one again when it got no lock in time."""
    # Two that start at once must not both migrate. However long the other takes: but not within
    # a statement, whose snapshot an index that the other builds concurrently would wait for.
    while not (await connection.exec_driver_sql(ALONE)).scalar_one():
        await connection.commit()
        await asyncio.sleep(patience.pause_s)
    await connection.commit()
    async for attempt in stamina.retry_context(
        on=lambda error: lock_timeout_of(error) is not None,
        attempts=patience.attempts,
        timeout=None,
        wait_initial=patience.pause_s,
        wait_max=patience.pause_s,
        wait_jitter=0,
        wait_exp_base=1,
    ):
        with attempt:
            await connection.run_sync(run)
    await connection.commit()


async def main() -> None:
    dsn, patience = context.config.attributes["dsn"], context.config.attributes["patience"]
    # A migration that can't get its lock soon gives up: waiting, it would hold up everybody who
    # comes after it. It tries again when they were served.
    lock_timeout = f"{patience.lock_timeout_ms}ms"
    settings = {"lock_timeout": lock_timeout, "application_name": NAME}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, server_settings=settings),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            await migrate(connection, patience)
    except DBAPIError as error:
        raise lock_timeout_of(error) or error from error
    finally:
        await engine.dispose()


asyncio.run(main())
