"""Fixtures that every kind of test shares."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from market import settings as settings_module
from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.payments.ports import Gateways
from market.settings import Settings
from market.verify import broken
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.gateway import MemoryGateway


@pytest.fixture(scope="session")
def databases() -> Databases:
    """A PostgreSQL of the tests' own, or the one TEST_DATABASE_URL names."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server:
        return Databases.prepare(server)
    return Databases.start_in_memory()


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
    env = {"MARKET_DATA": str(tmp_path), "MARKET_SECRET": "x" * 32, "MARKET_RATE_LIMITS": "off"}
    return settings_module.from_environment(env)


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


@pytest.fixture
async def acts(market: Market, gateway: MemoryGateway) -> AsyncIterator[Acts]:
    """What members do. Whatever a test did, the books must agree with the rest afterwards."""
    yield Acts(market, gateway)
    assert await broken(market.db) == []
