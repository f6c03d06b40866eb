"""What can't be served soon is told so, and how long locks and connections are held is told too."""

import asyncio
from contextvars import Context
from dataclasses import replace

import pytest
from httpx import Response
from prometheus_client import REGISTRY

from market.app import Market
from market.kit.db.database import Database
from market.kit.db.pool import WAITING_PER_CONNECTION_MAX
from market.shared.errors import Unavailable
from market.trades.http import Counter
from tests.support.acts import Acts
from tests.support.barrier import holding
from tests.support.web import Client, in_process, problem


async def test_of_too_many_who_wait_for_a_connection_the_last_is_told_so_at_once(dsn: str) -> None:
    db = await Database.connect(dsn, size=1, name="test")
    async with db.transaction():
        waiting = [asking(db) for _ in range(WAITING_PER_CONNECTION_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await asking(db)
    assert await asyncio.gather(*waiting) == [1] * WAITING_PER_CONNECTION_MAX
    await db.close()


async def test_who_finds_the_line_full_is_told_when_to_come_back(market: Market, dsn: str) -> None:
    """And nothing was changed for them: their next try buys."""
    counter = Counter(market.trades, market.idempotency, queue=1)
    async with in_process(replace(market, counter=counter)) as client:
        seller, *buyers = [await client.member(name) for name in "sabc"]
        product = (await seller.product(3))["id"]

        def press(buyer: Client) -> "asyncio.Task[Response]":
            return asyncio.create_task(buyer.call("POST", f"/api/products/{product}/trades"))

        async with holding(dsn, "products", product) as held:
            first = press(buyers[0])
            await held.until_waiting(1)  # a group of one, at the locked product
            others = {press(buyer): buyer for buyer in buyers[1:]}
            # One of them stands in line; the line has room for no more.
            (shed,), (waits,) = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        assert problem(await shed) == (503, "unavailable")
        assert (await shed).headers["retry-after"] == "1"
        assert [(await one).status_code for one in (first, waits)] == [201, 201]
        assert (await press(others[shed])).status_code == 201


TIMES = (
    "db_client_connection_use_time",
    "db_client_connection_wait_time",
    "market_row_lock_duration",
)


async def test_a_purchase_leaves_its_times_on_the_metrics_page(acts: Acts, market: Market) -> None:
    before = [counted(name) for name in TIMES]
    await acts.trade()
    after = [counted(name) for name in TIMES]
    assert all(b < a for b, a in zip(before, after, strict=True))
    async with in_process(market) as client:
        page = (await client.call("GET", "/metrics")).text
    assert "market_row_lock_duration_seconds_bucket" in page
    assert "db_client_connection_use_time_seconds_bucket" in page


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_seconds_count") or 0.0


def asking(db: Database) -> "asyncio.Task[int]":
    """Somebody else: a context of its own is outside of the test's transaction."""
    return asyncio.create_task(db.fetch_value("SELECT 1"), context=Context())
