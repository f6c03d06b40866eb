"""Both versions' gateways, each beside the same real sandbox process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from market.app import assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.outside import portone as portone_gateways
from market.settings import from_environment
from tests.sandbox.client import Client
from tests.sandbox.process import Receiver, SandboxProcess, running
from tests.support.clock import MovableClock

from .shops import Opened, Shop
from .sides import Side, V1Side, V2Side, Wire


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The local PortOne, on a free port."""
    data: Path = tmp_path_factory.mktemp("gateway") / "sandbox.sqlite"
    with running(data) as process:
        yield process


@pytest.fixture
def portone(sandbox: SandboxProcess) -> Iterator[Client]:
    """Its control panel; it has forgotten everything."""
    client = Client(sandbox.url)
    client.control("POST", "reset", status=204)
    client.keys = client.control("GET", "credentials")
    yield client
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where webhooks may be sent."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
async def v1(
    sandbox: SandboxProcess, portone: Client, clock: MovableClock
) -> AsyncIterator[V1Side]:
    async with V1Side.open(sandbox.url, portone, clock) as side:
        yield side


@pytest.fixture
async def v2(
    sandbox: SandboxProcess, portone: Client, clock: MovableClock
) -> AsyncIterator[V2Side]:
    async with V2Side.open(sandbox.url, portone, clock) as side:
        yield side


@pytest.fixture(params=["V1", "V2"])
async def side(
    request: pytest.FixtureRequest, sandbox: SandboxProcess, portone: Client, clock: MovableClock
) -> AsyncIterator[Side]:
    """Each version in turn: what holds for one must hold for the other."""
    kind: type[Side] = {"V1": V1Side, "V2": V2Side}[request.param]
    async with kind.open(sandbox.url, portone, clock) as side:
        yield side


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    await wire.aclose()


@pytest.fixture
def opened(
    sandbox: SandboxProcess,
    portone: Client,
    db: Database,
    clock: MovableClock,
    tmp_path: Path,
    wire: Wire,
) -> Opened:
    """A market opened with these settings, on the one database."""

    def open_(**env: str) -> Shop:
        trial = {"MARKET_DATA": str(tmp_path), "SANDBOX_PORT": str(sandbox.port)}
        settings = from_environment({**trial, **env})
        client = httpx.AsyncClient(transport=wire)
        gateways = portone_gateways(settings, client, client, clock)
        return Shop(assemble(settings, db, gateways, clock, TimeOrderedIds()), portone)

    return open_
