"""SIGTERM: what was begun is finished, nothing new is begun, and then the process is gone."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from market.app import Market
from market.kit.db.database import Database
from tests.operations.running import running
from tests.operations.slow_gateway import slow_gateway
from tests.support.acts import Acts
from tests.support.barrier import holding
from tests.support.web import Client


async def test_requests_in_flight_are_answered_and_nobody_new_is_let_in(
    dsn: str, tmp_path: Path
) -> None:
    with slow_gateway() as gateway:
        settings = {"PORTONE_V1_API_URL": gateway.url}
        with running("serve", dsn, tmp_path, **settings) as server:
            async with httpx.AsyncClient(
                base_url=server.url, trust_env=False, timeout=60
            ) as connections:
                seller, buyer, other = [await Client(connections).member(n) for n in "abc"]
                trade = await buyer.buy((await seller.product())["id"])
                product = await seller.product()
                paying = asyncio.create_task(
                    buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
                )
                assert await asyncio.to_thread(gateway.asked.wait, 60)
                async with holding(dsn, "products", product["id"]) as held:
                    buying = asyncio.create_task(other.buy(product["id"]))
                    await held.until_waiting(1)
                    server.stop()
                    await asyncio.to_thread(server.until_closed)
                    assert not buying.done()
                assert (await buying)["status"] == "AWAITING_PAYMENT"
                assert server.process.poll() is None
                assert not paying.done()
                gateway.let_go.set()
                assert (await paying)["status"] == "READY"
            assert await asyncio.to_thread(server.ended) == 0


async def test_who_waits_for_a_gateway_too_long_is_not_waited_for(dsn: str, tmp_path: Path) -> None:
    with slow_gateway() as gateway:
        settings = {"PORTONE_V1_API_URL": gateway.url, "MARKET_STOP_SECONDS": "1"}
        with running("serve", dsn, tmp_path, **settings) as server:
            async with httpx.AsyncClient(
                base_url=server.url, trust_env=False, timeout=60
            ) as connections:
                seller, buyer = [await Client(connections).member(n) for n in "ab"]
                trade = await buyer.buy((await seller.product())["id"])
                paying = asyncio.create_task(
                    buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
                )
                assert await asyncio.to_thread(gateway.asked.wait, 60)
                server.stop()
                assert await asyncio.to_thread(server.ended) == 0
                with pytest.raises(httpx.TransportError):
                    await paying


async def test_the_worker_finishes_what_it_has_in_hand(
    acts: Acts, market: Market, db: Database, dsn: str, tmp_path: Path
) -> None:
    trade = await acts.trade()
    async with holding(dsn, "products", trade.product_id) as held:
        with_deadline = "UPDATE trades SET hold_expires_at = $1"
        await db.execute(with_deadline, datetime.now(UTC) - timedelta(seconds=1))
        with running("worker", dsn, tmp_path) as worker:
            await held.until_waiting(1)
            worker.stop()
            await asyncio.to_thread(worker.until_logged, "worker_stopping")
            assert worker.process.poll() is None
            await held.let_go()
            assert await asyncio.to_thread(worker.ended) == 0
    assert (await acts.now(trade)).status == "CANCELLED"


async def test_what_the_worker_can_not_finish_in_time_is_due_again(
    acts: Acts, market: Market, db: Database, dsn: str, tmp_path: Path
) -> None:
    trade = await acts.trade()
    await acts.payment(trade)
    with slow_gateway() as gateway:
        await db.execute("UPDATE payments SET look_at = now()")
        await market.inbox.add(
            "V1", await db.fetch_value("SELECT id FROM payments"), {"imp_uid": "i"}
        )
        settings = {"PORTONE_V1_API_URL": gateway.url, "MARKET_STOP_SECONDS": "1"}
        with running("worker", dsn, tmp_path, **settings) as worker:
            assert await asyncio.to_thread(gateway.asked.wait, 60)
            worker.stop()
            assert await asyncio.to_thread(worker.ended) == 0
            assert worker.until_logged("worker_broke_off")
    due = "SELECT count(*) FROM webhooks WHERE handled_at IS NULL AND try_at IS NOT NULL"
    assert await db.fetch_value(due) == 1
