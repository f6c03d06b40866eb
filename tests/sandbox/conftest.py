"""One sandbox process for all tests, emptied before each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Client
from .contract import Contract
from .process import Receiver, SandboxProcess, running


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The process."""
    data: Path = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    with running(data) as process:
        yield process


@pytest.fixture(scope="session")
def every_answer() -> Contract | None:
    """Checks each answer of each test, where the official documents are at hand."""
    return Contract() if os.environ.get("PORTONE_OPENAPI_DIR") else None


@pytest.fixture
def client(sandbox: SandboxProcess, every_answer: Contract | None) -> Iterator[Client]:
    """The sandbox, empty and with every default."""
    client = Client(sandbox.url, every_answer.check if every_answer else None)
    client.control("POST", "reset", {"keep": []}, status=204)
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
