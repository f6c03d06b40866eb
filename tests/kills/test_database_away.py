"""A database that is gone, however thoroughly, is told as trouble that passes."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from market.kit.db.connection import Pooling
from market.kit.db.database import Database
from market.shared.errors import Unavailable

from .town import Postgres


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="kills-") as directory:
        server = Postgres(Path(directory) / "pg")
        yield server
        server.end(signal.SIGINT)


async def test_a_database_that_is_away_is_unavailable_and_then_back(postgres: Postgres) -> None:
    db = await Database.connect(postgres.dsn, size=2, name="test")
    # At its end it takes its socket away: from then on there is nothing to connect to at all.
    postgres.end(signal.SIGQUIT)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await db.fetch_value("SELECT 1")
    await asyncio.to_thread(postgres.start)
    assert await db.fetch_value("SELECT 1") == 1
    await db.close()


class Dying:
    """A pool whose connections break as asyncpg's do when PostgreSQL is killed just then."""

    pooling = Pooling.NONE

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator["Dying"]:
        yield self

    async def fetchval(self, sql: str, **_: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation is running")


async def test_a_connection_that_breaks_at_the_commit_is_unavailable() -> None:
    db = Database(Dying())  # type: ignore[arg-type] # as much of a pool as is asked for
    with pytest.raises(Unavailable):
        await db.fetch_value("COMMIT")
