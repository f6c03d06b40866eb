"""Holds a row of the database until so many stand before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

PATIENCE_S = 30
_STANDING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@asynccontextmanager
async def holding(dsn: str, row: str, id: str | int) -> AsyncIterator["Held"]:
    """Locks the row `id` of the table `row` for the block."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT FROM {row} WHERE id = $1 FOR UPDATE", id)
            yield Held(connection)
    finally:
        await connection.close()


class Held:
    """A row that is held."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def until_waiting(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Returns when so many transactions wait for a lock."""
        await asyncio.wait_for(self._wait(count), patience_s)

    async def let_go(self) -> None:
        """Lets the row go before the block ends."""
        await self._connection.execute("ROLLBACK AND CHAIN")

    async def _wait(self, count: int) -> None:
        while await self._connection.fetchval(_STANDING) < count:
            await self._connection.execute("SELECT pg_stat_clear_snapshot()")  # or it stands still


async def at_once(dsn: str, row: str, id: str, *acts: Awaitable[Any], waiting: int) -> list[Any]:
    """Lets all act while a row is held, and lets it go when `waiting` of them stand before it;
    what they answered, exceptions included."""
    async with holding(dsn, row, id) as held:
        running = asyncio.gather(*acts, return_exceptions=True)
        await held.until_waiting(waiting)
    return await running
