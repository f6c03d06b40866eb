"""Fixtures that every kind of test shares."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from market import settings as settings_module
from market.app import Market, assemble
from market.kit import postgres
from market.kit.db import Database
from market.kit.system import TimeOrderedIds
from market.payments.ports import Gateways
from market.settings import Settings
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.gateway import MemoryGateway


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """A PostgreSQL of the tests' own, or the one TEST_DATABASE_URL names."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        server = postgres.start(tmp_path_factory.mktemp("pg") / "data")
    return Databases.prepare(server)


@pytest.fixture
async def dsn(databases: Databases) -> AsyncIterator[str]:
    """An empty market's database."""
    async with databases.fresh() as dsn:
        yield dsn


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    database = await Database.connect(dsn, size=20, name="test")
    yield database
    await database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.from_environment(
        {"MARKET_DATA": str(tmp_path), "MARKET_SECRET": "x" * 32}
    )


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


@pytest.fixture
def market(settings: Settings, db: Database, gateway: MemoryGateway, clock: MovableClock) -> Market:
    """Every service on a real database, with a clock to move and a gateway in memory."""
    return assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds())
