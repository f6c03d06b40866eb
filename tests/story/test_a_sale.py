"""The whole story through HTTP, on each version of the gateway: sandbox, worker and two servers as
processes of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from market.kit.db.database import Database
from market.verify import broken
from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox
from tests.support.web import Client

PATIENCE_S = 30


@pytest.fixture(scope="module", params=["V1", "V2"])
def running(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningMarket]:
    data = Path(tmp_path_factory.mktemp("story"))
    dsn = asyncio.run(databases.create())
    with (
        running_sandbox(data) as sandbox,
        running_market(dsn, data, 2, sandbox, request.param) as market,
    ):
        yield market


@pytest.fixture
async def doors(running: RunningMarket) -> AsyncIterator[list[Client]]:
    """A client at each server."""
    first, second = running.servers
    async with (
        httpx.AsyncClient(base_url=first, timeout=PATIENCE_S) as one,
        httpx.AsyncClient(base_url=second, timeout=PATIENCE_S) as two,
    ):
        yield [Client(one), Client(two)]


@pytest.fixture
async def sandbox(running: RunningMarket) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=running.sandbox, timeout=PATIENCE_S) as http:
        yield Client(http)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again, until the worker has done it."""
    deadline = time.monotonic() + PATIENCE_S
    while not await true():
        assert time.monotonic() < deadline, "it never happened"


async def begin_to_pay(buyer: Client, trade: Any) -> Any:
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
    assert (payment["amount"], payment["currency"]) == (trade["price"], "KRW")
    checkout = payment["checkout"]
    name = {"V1": "merchant_uid", "V2": "paymentId"}[checkout["version"]]
    assert checkout["params"][name] == payment["id"]
    return payment


async def test_two_buyers_buy_what_one_seller_lists(
    doors: list[Client], sandbox: Client, running: RunningMarket
) -> None:
    here, there = doors
    seller, first, second = await here.member("bora"), await here.member(), await there.member()
    product = await seller.product(quantity=2, price=45_000)
    path = f"/api/products/{product['id']}"

    async def status() -> str:
        return str((await here.get(path))["status"])

    assert await status() == "ON_SALE"
    trade = await first.buy(product["id"])
    assert await status() == "ON_SALE"
    # The price rises in between: the first buyer's list must not show it (R10).
    await seller.call("PATCH", path, {"price": 50_000})
    other = await second.buy(product["id"])
    assert await status() == "RESERVED"

    # The first buyer's browser comes back and tells; the second's was closed, and only the
    # gateway's webhook says that something happened.
    payment = await begin_to_pay(first, trade)
    await sandbox.post("/control/pay", {"payment_id": payment["id"], "outcome": "paid"})
    paid = await first.post(f"/api/payments/{payment['id']}/complete")
    assert (paid["status"], paid["amount"]) == ("PAID", 45_000)
    silent = await begin_to_pay(second, other)
    await sandbox.post("/control/pay", {"payment_id": silent["id"], "outcome": "paid"})

    async def told_by_webhook() -> bool:
        shown = await second.get(f"/api/trades/{other['id']}")
        return bool(shown["status"] == "PAID")

    await until(told_by_webhook)

    for buyer, one in ((first, trade), (second, other)):
        reserved = await buyer.get("/api/me/reservations?role=buyer")
        assert [(t["id"], t["price"]) for t in reserved["items"]] == [(one["id"], one["price"])]
        await seller.post(f"/api/trades/{one['id']}/approve")
        done = await buyer.post(f"/api/trades/{one['id']}/confirm")
        assert done["status"] == "PURCHASE_CONFIRMED"
        bought = await buyer.get("/api/me/purchases")
        assert [(t["id"], t["price"]) for t in bought["items"]] == [(one["id"], one["price"])]
    assert [trade["price"], other["price"]] == [45_000, 50_000]
    assert await status() == "COMPLETED"
    assert (await seller.get("/api/me/reservations"))["items"] == []
    assert len((await seller.get("/api/me/sales"))["items"]) == 2

    known = {item["order_id"]: item for item in (await sandbox.get("/control/payments"))["items"]}
    assert [known[id]["status"] for id in (payment["id"], silent["id"])] == ["PAID", "PAID"]
    await all_is_well(running)


async def test_a_buyer_who_calls_it_off_gets_the_money_back_and_the_next_one_the_unit(
    doors: list[Client], sandbox: Client, running: RunningMarket
) -> None:
    here, there = doors
    seller, buyer, next_one = await here.member(), await there.member(), await here.member()
    product = await seller.product(price=30_000)
    trade = await buyer.buy(product["id"])
    payment = await begin_to_pay(buyer, trade)
    await sandbox.post("/control/pay", {"payment_id": payment["id"], "outcome": "paid"})
    await buyer.post(f"/api/payments/{payment['id']}/complete")
    cancelled = await buyer.post(f"/api/trades/{trade['id']}/cancel", {"reason": "changed my mind"})
    assert (cancelled["status"], cancelled["cancel_reason"]) == ("CANCELLED", "changed my mind")
    back = await buyer.get(f"/api/payments/{payment['id']}")
    assert (back["status"], back["cancelled_amount"]) == ("CANCELLED", 30_000)
    await next_one.buy(product["id"])
    await all_is_well(running)


async def test_a_refund_whose_answer_is_lost_is_found_out_by_the_worker(
    doors: list[Client], sandbox: Client, running: RunningMarket
) -> None:
    here, _ = doors
    seller, buyer = await here.member(), await here.member()
    trade = await buyer.buy((await seller.product())["id"])
    payment = await begin_to_pay(buyer, trade)
    await sandbox.post("/control/pay", {"payment_id": payment["id"], "outcome": "paid"})
    await buyer.post(f"/api/payments/{payment['id']}/complete")
    path = {"V1": "/payments/cancel", "V2": f"/payments/{payment['id']}/cancel"}[running.version]
    match = {"version": running.version, "method": "POST", "path": path}
    await sandbox.post("/control/faults", {"match": match, "fault": "timeout_after", "times": 1})
    answer = await buyer.call("POST", f"/api/trades/{trade['id']}/cancel", {"reason": "why"})
    assert (answer.status_code, answer.json()["cancel_in_progress"]) == (202, True)
    # The gateway did it. A console's webhook, the buyer or the sweep will make us look.
    await buyer.post(f"/api/payments/{payment['id']}/complete")
    assert (await buyer.get(f"/api/trades/{trade['id']}"))["status"] == "CANCELLED"
    await all_is_well(running)


async def test_a_payment_of_another_amount_is_sent_back_by_the_worker(
    doors: list[Client], sandbox: Client, running: RunningMarket
) -> None:
    here, _ = doors
    seller, buyer = await here.member(), await here.member()
    trade = await buyer.buy((await seller.product())["id"])
    payment = await begin_to_pay(buyer, trade)
    wrong = {"payment_id": payment["id"], "outcome": "paid", "amount": 10}
    await sandbox.post("/control/pay", wrong)

    async def sent_back() -> bool:
        shown = await buyer.get(f"/api/payments/{payment['id']}")
        return bool(shown["status"] == "CANCELLED")

    await until(sent_back)
    assert (await buyer.get(f"/api/trades/{trade['id']}"))["status"] == "AWAITING_PAYMENT"
    await all_is_well(running)


async def test_a_purchase_is_deposited_for_called_off_and_refunded(
    doors: list[Client], sandbox: Client, running: RunningMarket
) -> None:
    here, there = doors
    seller, buyer = await here.member(), await there.member()
    trade = await buyer.buy((await seller.product(price=20_000))["id"])
    path = f"/api/trades/{trade['id']}"
    means = {"method": "VIRTUAL_ACCOUNT", "bank": "SHINHAN"}
    payment = await buyer.post(f"{path}/payment", means)
    account = payment["virtual_account"]
    assert (payment["status"], account["bank"]) == ("VIRTUAL_ACCOUNT_ISSUED", "SHINHAN")
    money = {"account_number": account["number"], "amount": 20_000}
    await sandbox.post("/control/deposit", money)

    async def paid_by_webhook() -> bool:
        return bool((await buyer.get(path))["status"] == "PAID")

    await until(paid_by_webhook)
    mine = {"bank": "KAKAO", "number": "3333-01-1234567", "holder": "김보라"}
    cancelled = await buyer.post(f"{path}/cancel", {"reason": "변심", "refund_account": mine})
    assert cancelled["status"] == "CANCELLED"
    await all_is_well(running)


# What became of all of the above, whichever version it went through.
BALANCES = {"escrow": 0, "gateway": -95_000, "fees": 3_325, "seller": 91_675}


async def test_both_versions_end_with_the_same_books(running: RunningMarket) -> None:
    db = await Database.connect(running.dsn, size=1, name="test")
    rows = await db.fetch(
        "SELECT split_part(account, ':', 1) AS kind, sum(balance)::bigint AS sum"
        " FROM balances GROUP BY 1"
    )
    assert {row["kind"]: row["sum"] for row in rows} == BALANCES
    await db.close()


async def all_is_well(running: RunningMarket) -> None:
    db = await Database.connect(running.dsn, size=1, name="test")
    found = await broken(db)
    await db.close()
    assert found[:3] == [], f"and {len(found)} in all"
