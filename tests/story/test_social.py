"""Somebody comes by Kakao for the first time and buys something, by a script that keeps cookies
and follows redirects: sandbox, server and worker as processes of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox, stand_ins
from tests.support.web import Client

PATIENCE_S = 30


@pytest.fixture
def running(databases: Databases, tmp_path: Path) -> Iterator[RunningMarket]:
    dsn = asyncio.run(databases.create())
    with (
        running_sandbox(tmp_path) as sandbox,
        running_market(dsn, tmp_path, 1, sandbox, environment=stand_ins(sandbox)) as market,
    ):
        yield market


async def come_by(http: httpx.AsyncClient, provider: str, person: str) -> Client:
    """A whole sign-in; the only thing done by hand is choosing who to be."""
    went = await http.get(f"/api/auth/social/{provider}")
    chosen = {"decision": "approve", "person": person}
    page = httpx.URL(went.headers["location"]).copy_merge_params(chosen)
    came = await http.get(page, follow_redirects=True)
    assert came.status_code == 200, came.text
    return Client(http, came.json()["access_token"])


async def test_from_kakao_to_a_purchase(running: RunningMarket) -> None:
    base = running.servers[0]
    async with (
        httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as here,
        httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as there,
        httpx.AsyncClient(base_url=running.sandbox, timeout=PATIENCE_S) as sandbox,
    ):
        seller = await come_by(here, "naver", "바다")
        product = await seller.product(price=12_000)
        buyer = await come_by(there, "kakao", "하늘")
        assert (await buyer.get("/api/me"))["email"] == "haneul@example.com"
        trade = await buyer.buy(product["id"])
        payment = await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
        order = {"payment_id": payment["id"], "outcome": "paid"}
        await Client(sandbox).post("/control/pay", order)
        await buyer.post(f"/api/payments/{payment['id']}/complete")
        await seller.post(f"/api/trades/{trade['id']}/approve")
        done = await buyer.post(f"/api/trades/{trade['id']}/confirm")
        assert done["status"] == "PURCHASE_CONFIRMED"
        # The next day, in another browser, they are who they were.
        async with httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as later:
            again = await come_by(later, "kakao", "하늘")
            bought = await again.get("/api/me/purchases")
    assert [item["id"] for item in bought["items"]] == [trade["id"]]
