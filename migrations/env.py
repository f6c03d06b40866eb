"""Runs migrations over asyncpg, each in a transaction of its own. Started by `market migrate`."""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

# A migration that can't get its lock soon gives up: waiting, it would hold up everybody behind it.
LOCK_TIMEOUT = "3s"


def run(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    dsn = context.config.attributes["dsn"]

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(dsn, server_settings={"lock_timeout": LOCK_TIMEOUT})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        # Two that start at once must not both migrate.
        await connection.exec_driver_sql("SELECT pg_advisory_lock(20261122)")
        await connection.commit()
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(main())
