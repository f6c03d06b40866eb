"""One running market for every test in a browser: sandbox, worker and server as processes.

Playwright's plain API keeps an event loop in this thread, so nothing here is async, and the browser
is gone before the next package begins.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
from playwright.sync_api import Browser

from tests.sandbox.browser import chromium
from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox, stand_ins

from .person import Person

T = TypeVar("T")
Visit = Callable[..., Person]


def elsewhere(work: Coroutine[Any, Any, T]) -> T:
    """Runs it in a thread with a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def shop(
    browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningMarket]:
    assert browser  # without one there is nothing to start
    data = Path(tmp_path_factory.mktemp("shop"))
    dsn = elsewhere(databases.create())
    with running_sandbox(data) as sandbox:
        social = stand_ins(sandbox)
        with running_market(dsn, data, 1, sandbox, environment=social) as market:
            yield market


@pytest.fixture
def visit(browser: Browser, shop: RunningMarket) -> Iterator[Visit]:
    """Somebody new comes in; nothing may be left in their browser's console."""
    people: list[Person] = []

    def come(**device: Any) -> Person:
        people.append(Person(browser, shop.servers[0], **device))
        return people[-1]

    yield come
    for person in people:
        person.leave()
    assert [person.complaints for person in people if person.complaints] == []


@pytest.fixture
def gateway(shop: RunningMarket) -> Iterator[httpx.Client]:
    """The sandbox's controls."""
    with httpx.Client(base_url=shop.sandbox, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def run_out(shop: RunningMarket) -> Callable[[str], None]:
    """Lets a trade's time to pay be over, as if it had been begun long ago."""

    def past(trade: str) -> None:
        elsewhere(_past(shop.dsn, trade.rpartition("/")[2]))

    return past


async def _past(dsn: str, id: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "UPDATE trades SET hold_expires_at = now() - interval '1 second' WHERE id = $1", id
    )
    await connection.close()
