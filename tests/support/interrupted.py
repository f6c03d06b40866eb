"""A database on which something else happens between two statements."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context

from market.kit.db.database import Database, Row


class Interrupted(Database):
    """After the first read whose SQL has `after` in it, `meanwhile` happens, on a connection and
    in a transaction of its own."""

    def __init__(
        self, db: Database, after: str, meanwhile: Callable[[], Awaitable[object]]
    ) -> None:
        super().__init__(db.pool)
        self._after = after
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        rows = await super().fetch(sql, *args)
        await self._interrupt(sql)
        return rows

    async def fetch_one(self, sql: str, *args: object) -> Row | None:
        row = await super().fetch_one(sql, *args)
        await self._interrupt(sql)
        return row

    async def _interrupt(self, sql: str) -> None:
        meanwhile = self._meanwhile
        if meanwhile is None or self._after not in sql:
            return
        self._meanwhile = None

        async def happen() -> None:
            await meanwhile()

        # An empty context: the transaction that is open here is not its own.
        await asyncio.create_task(happen(), context=Context())
