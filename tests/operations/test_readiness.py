"""/health/ready tells whether a request could be served; /health/live only that we answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from market.app import assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.db.schema_version import SCRIPTS, revisions
from market.payments.ports import Gateways
from market.settings import Settings
from tests.operations.proxy import line
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process, problem

At = Callable[[str], AbstractAsyncContextManager[Client]]


@pytest.fixture
def at(settings: Settings, clock: MovableClock) -> At:
    """A market's client, on this database."""

    @asynccontextmanager
    async def at(dsn: str) -> AsyncIterator[Client]:
        db = await Database.connect(dsn, size=2, name="test")
        market = assemble(settings, db, Gateways(MemoryGateway()), clock, TimeOrderedIds())
        try:
            async with in_process(market) as client:
                yield client
        finally:
            db.pool.terminate()  # a line that went dead would not let it end in peace

    return at


async def health(client: Client) -> tuple[int, int]:
    live, ready = [await client.call("GET", f"/health/{which}") for which in ("live", "ready")]
    return live.status_code, ready.status_code


async def test_without_a_database_it_is_not_ready_until_it_is_back(at: At, dsn: str) -> None:
    async with line(dsn) as cable, at(cable.dsn) as client:
        assert await health(client) == (200, 200)
        await cable.cut()
        assert await health(client) == (200, 503)
        assert await health(client) == (200, 503)
        await cable.up()
        assert await health(client) == (200, 200)


async def test_a_database_that_is_only_silent_is_not_waited_for(at: At, dsn: str) -> None:
    async with line(dsn) as cable, at(cable.dsn) as client:
        assert await health(client) == (200, 200)
        cable.go_dead()
        assert problem(await client.call("GET", "/health/ready")) == (503, "unavailable")


async def test_a_schema_older_than_the_code_is_not_ready(at: At, db: Database, dsn: str) -> None:
    async with at(dsn) as client:
        for found in revisions()[:-1]:
            await db.execute("UPDATE alembic_version SET version_num = $1", found)
            refused = await client.call("GET", "/health/ready")
            assert problem(refused) == (503, "schema_outdated")
            assert refused.json()["about"] == {"needed": revisions()[-1], "found": found}
        await db.execute("UPDATE alembic_version SET version_num = $1", revisions()[-1])
        assert await health(client) == (200, 200)


async def test_an_empty_database_is_not_ready(at: At, databases: Databases) -> None:
    async with databases.empty() as dsn, at(dsn) as client:
        assert problem(await client.call("GET", "/health/ready")) == (503, "schema_outdated")


async def test_a_schema_newer_than_the_code_is_ready(at: At, db: Database, dsn: str) -> None:
    """The old servers go on while the new ones come."""
    await db.execute("UPDATE alembic_version SET version_num = 'of tomorrow'")
    async with at(dsn) as client:
        assert await health(client) == (200, 200)


def test_migrations_are_named_by_their_revision_and_follow_each_other() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == revisions()
