"""Two server processes on one database, and a crowd at their doors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from tests.races.crowd import Crowd
from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox


@pytest.fixture(scope="session")
def two_servers(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningMarket]:
    """One market in two server processes and a worker, for all races."""
    data = tmp_path_factory.mktemp("races")
    dsn = asyncio.run(databases.create())
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(Path(data)))
        yield stack.enter_context(running_market(dsn, data, servers=2, sandbox=sandbox))


@pytest.fixture
async def crowd(two_servers: RunningMarket) -> AsyncIterator[Crowd]:
    connection = await asyncpg.connect(two_servers.dsn)
    async with Crowd.gather(two_servers, connection) as crowd:
        yield crowd
    await connection.close()
