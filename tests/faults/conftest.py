"""One sandbox, one database and one event loop for all cells, so that each takes but a moment."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from market.app import web_app
from market.kit.db.database import Database
from market.settings import from_environment
from tests.sandbox.client import Client
from tests.sandbox.process import Receiver, running
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.web import Client as Door

from .cells import VERSIONS
from .shop import Town
from .table import Matrix
from .wire import Wire


@pytest.fixture(scope="session")
def matrix() -> Iterator[Matrix]:
    """What it took, cell by cell; written into the file that MATRIX names."""
    matrix = Matrix()
    yield matrix
    if (file := os.environ.get("MATRIX")) is not None:
        matrix.write(Path(file))


@pytest.fixture(scope="session")
def one_dsn(databases: Databases) -> str:
    return asyncio.run(databases.create())


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def town(one_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    data = tmp_path_factory.mktemp("faults")
    receiver, wire = Receiver(), Wire()
    with running(data / "sandbox.sqlite") as sandbox:
        env = {
            "MARKET_DATA": str(data),
            "MARKET_SECRET": "x" * 32,
            "MARKET_PUBLIC_URL": receiver.url,
            "SANDBOX_PORT": str(sandbox.port),
        }
        settings = {
            version: from_environment(env | {"PORTONE_VERSION": version}) for version in VERSIONS
        }
        app = web_app(lambda: nullcontext(app.state.market))
        inside = httpx.ASGITransport(app)  # type: ignore[arg-type] # the same ASGI, other names
        db = await Database.connect(one_dsn, size=5, name="test")
        portone = Client(sandbox.url)
        async with (
            httpx.AsyncClient(transport=wire) as client,
            httpx.AsyncClient(transport=inside, base_url="http://t") as http,
        ):
            clock, door = MovableClock(), Door(http)
            town = Town(settings, db, clock, client, wire, portone, receiver, door)
            # Whichever of them keeps a webhook, it lands in the one inbox.
            app.state.market = town.market("V2")
            yield town
        await db.close()
        portone.close()
    receiver.close()
