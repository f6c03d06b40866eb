"""What can't be served soon is told so, and how long locks and connections are held is told too."""

import asyncio
from contextvars import Context

import pytest
from prometheus_client import REGISTRY

from market.app import Market
from market.kit.db import MOST_WAITING, Database
from market.shared.errors import Unavailable
from tests.support.acts import Acts
from tests.support.web import in_process


async def test_of_too_many_who_wait_for_a_connection_the_last_is_told_so_at_once(dsn: str) -> None:
    db = await Database.connect(dsn, size=1, name="test")
    async with db.transaction():
        waiting = [asking(db) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await asking(db)
    assert await asyncio.gather(*waiting) == [1] * MOST_WAITING
    await db.close()


async def test_a_purchase_leaves_its_times_on_the_metrics_page(acts: Acts, market: Market) -> None:
    before = [counted(name) for name in ("connection_held", "connection_awaited", "lock_held")]
    await acts.trade()
    after = [counted(name) for name in ("connection_held", "connection_awaited", "lock_held")]
    assert all(b < a for b, a in zip(before, after, strict=True))
    async with in_process(market) as client:
        page = (await client.call("GET", "/metrics")).text
    assert "market_lock_held_seconds_bucket" in page
    assert "market_connection_held_seconds_bucket" in page


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"market_{name}_seconds_count") or 0.0


def asking(db: Database) -> "asyncio.Task[int]":
    """Somebody else: a context of its own is outside of the test's transaction."""
    return asyncio.create_task(db.value("SELECT 1"), context=Context())
