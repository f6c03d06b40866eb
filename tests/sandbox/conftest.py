"""One sandbox process for all tests, emptied before each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Client
from .process import Receiver, SandboxProcess, running


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process."""
    data: Path = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    with running(data) as process:
        yield process


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[Client]:
    """The sandbox, empty and with every default."""
    client = Client(sandbox.url)
    client.control("POST", "reset", status=204)
    client.keys = client.control("GET", "credentials")
    yield client
    client.close()


@pytest.fixture
def receiver(client: Client) -> Iterator[Receiver]:
    """A webhook receiver that both versions' console settings point to."""
    receiver = Receiver()
    client.set(webhook_url_v1=f"{receiver.url}/v1", webhook_url_v2=f"{receiver.url}/v2")
    yield receiver
    receiver.close()
