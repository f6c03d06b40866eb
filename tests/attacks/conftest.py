"""One market in two server processes that everything here attacks, with all that it logs; and
markets in this process for what needs no socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from market.app import Market
from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox
from tests.support.web import Client, in_process

PATIENCE_S = 60


@dataclass(frozen=True)
class Siege:
    """A running market, and the file that its processes print to."""

    market: RunningMarket
    log: Path

    def lines(self) -> list[str]:
        """What was logged of whatever was answered before. A server writes when its turn is over:
        before it answers anything else."""
        for server in self.market.servers:
            httpx.get(f"{server}/health/live", timeout=PATIENCE_S)
        return self.log.read_text("utf-8").split("\n")


@pytest.fixture(scope="session")
def siege(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    data = tmp_path_factory.mktemp("attacks")
    dsn, log = asyncio.run(databases.create()), data / "log"
    with (
        running_sandbox(data) as sandbox,
        running_market(dsn, data, 2, sandbox, log=log) as market,
    ):
        yield Siege(market, log)


@pytest.fixture
async def door(siege: Siege) -> AsyncIterator[Client]:
    """A client at the first server."""
    url = siege.market.servers[0]
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http:
        yield Client(http)


@pytest.fixture
async def client(market: Market) -> AsyncIterator[Client]:
    """A client of a market in this process."""
    async with in_process(market) as client:
        yield client
