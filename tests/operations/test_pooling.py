"""Through PgBouncer, as Debian installs it: with its defaults, and with transaction pooling."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from market.app import assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.connection import Pooling, connect, find_pooling
from market.kit.db.database import Database
from market.kit.db.migrate import migrate
from market.payments.ports import Gateways
from market.settings import Settings
from market.verify import broken
from tests.operations.pooler import PROGRAM, pooler
from tests.operations.running import running
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.gateway import MemoryGateway

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on this machine")

MODES = ("session", "transaction")
WITHIN_S = 30


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def through(mode: str, dsn: str) -> AsyncIterator[str]:
    async with pooler(dsn, pool_mode=mode) as through:
        yield through


async def test_what_stands_before_the_database_is_found_out(dsn: str) -> None:
    assert await find_pooling(dsn) is Pooling.NONE
    for mode, found in (("session", Pooling.SESSION), ("transaction", Pooling.TRANSACTION)):
        async with pooler(dsn, pool_mode=mode) as through:
            assert await find_pooling(through) is found


async def test_the_kind_of_pooling_is_found_out_while_others_are_busy(dsn: str) -> None:
    async with pooler(dsn, pool_mode="transaction") as through:
        busy = [await asyncpg.connect(through, statement_cache_size=0) for _ in range(4)]

        async def work(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
            while True:
                await connection.execute("SELECT 1")

        working = [asyncio.create_task(work(one)) for one in busy]
        for _ in range(20):
            assert await find_pooling(through) is Pooling.TRANSACTION
        for one in working:
            one.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for connection in busy:
            connection.terminate()


async def test_a_sale_through_a_pooler(
    through: str, settings: Settings, clock: MovableClock, gateway: MemoryGateway
) -> None:
    db = await Database.connect(through, size=5, name="test")
    market = assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds())
    acts = Acts(market, gateway)
    trades = await asyncio.gather(*(acts.paid_trade() for _ in range(5)))
    for trade, _ in trades:
        await market.trades.approve(trade.id, trade.seller.id)
        await market.trades.confirm(trade.id, trade.buyer.id)
    assert await broken(db) == []
    await db.close()


async def test_limits_hold_in_every_transaction_and_nothing_is_left_to_the_next_client(
    through: str,
) -> None:
    db = await Database.connect(through, size=2, name="test")
    async with db.transaction():
        assert await db.fetch_value("SHOW lock_timeout") == "5s"
        assert await db.fetch_value("SHOW statement_timeout") == "10s"
        assert await db.fetch_value("SHOW idle_in_transaction_session_timeout") == "15s"
    assert await db.fetch_value("SHOW timezone") == "UTC"
    await db.close()
    others = [await connect(through, "test", pooling=Pooling.TRANSACTION) for _ in range(4)]
    async with asyncio.TaskGroup() as at_once:
        for other in others:
            at_once.create_task(_unlimited(other))
    for other in others:
        await other.close()


async def _unlimited(other: Any) -> None:
    async with other.transaction():
        assert await other.fetchval("SHOW lock_timeout") == "0"
        assert await other.fetchval("SHOW enable_seqscan") == "on"
        await other.fetchval("SELECT pg_sleep(0.2)")


async def test_pages_learn_of_changes_through_a_pooler(
    through: str, settings: Settings, clock: MovableClock, gateway: MemoryGateway
) -> None:
    db = await Database.connect(through, size=5, name="test")
    market = assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds())
    trade, _ = await Acts(market, gateway).paid_trade()
    async with asyncio.timeout(WITHIN_S), market.notifier.subscribe(trade.id) as subscription:
        await subscription.wait(0.2)  # whatever was said of it before
        await market.trades.approve(trade.id, trade.seller.id)
        assert await subscription.wait(WITHIN_S)
    await market.notifier.close()
    await db.close()


async def test_a_market_runs_on_a_database_that_was_migrated_through_a_pooler(
    databases: Databases, mode: str, tmp_path: Path
) -> None:
    """Migrations, server and worker, none of which was told of it. What can't work there is one
    line at the start of each."""
    async with databases.empty() as empty, pooler(empty, pool_mode=mode) as through:
        await asyncio.to_thread(migrate, through)
        told = await asyncio.to_thread(_sell, through, tmp_path)
    assert told == ([] if mode == "session" else ["database_pooled", "database_pooled"])


def _sell(dsn: str, data: Path) -> list[str]:
    """Has something sold; what the processes said of the pooler."""
    hold = {"MARKET_HOLD_SECONDS": "1"}
    with running("serve", dsn, data, **hold) as server, running("worker", dsn, data) as worker:
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            seller, buyer = _member(http, "seller"), _member(http, "buyer")
            goods = {"name": "chair", "price": 1000, "quantity": 1}
            made = http.post("/api/products", json=goods, headers=seller).json()
            path = f"/api/products/{made['id']}"
            assert http.post(f"{path}/trades", headers=buyer).status_code == 201
            # The worker ends the hold, and the unit is on sale again.
            while http.get(path).json()["status"] != "ON_SALE":
                assert worker.process.poll() is None
        lines = [*server.lines(), *worker.lines()]
    assert [line for line in lines if line["level"] == "error"] == []
    return [line["event"] for line in lines if "pool" in line["event"]]


def _member(http: httpx.Client, name: str) -> dict[str, str]:
    body = {"email": f"{name}@example.com", "password": "a long password", "nickname": name}
    answer = http.post("/api/auth/signup", json=body)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}
