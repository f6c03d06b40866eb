"""`Idempotency-Key`: the same key and body get the first answer, and nothing happens twice."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import httpx
import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.http.idempotency import LEASE, RETENTION
from market.payments.ports import Gateways
from market.settings import Settings
from tests.support.barrier import holding
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process, problem

NEW = {"name": "의자", "price": 1000, "quantity": 1}


async def test_the_same_key_and_body_get_the_first_answer(client: Client, market: Market) -> None:
    seller = await client.member()
    first = await seller.call("POST", "/api/products", NEW, Idempotency_Key="k")
    second = await seller.call("POST", "/api/products", NEW, Idempotency_Key="k")
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 1


async def test_the_same_key_with_another_body_or_path_is_refused(client: Client) -> None:
    seller = await client.member()
    product = await seller.post("/api/products", NEW, Idempotency_Key="k")
    reused = (422, "idempotency_key_reused")
    other = await seller.call("POST", "/api/products", NEW | {"price": 2}, Idempotency_Key="k")
    assert problem(other) == reused
    path = f"/api/products/{product['id']}/trades"
    assert problem(await seller.call("POST", path, Idempotency_Key="k")) == reused


async def test_a_key_is_its_members_own(client: Client, market: Market) -> None:
    for name in ("a", "b"):
        await (await client.member(name)).post("/api/products", NEW, Idempotency_Key="k")
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 2


async def test_two_strangers_with_one_key_both_sign_up(client: Client, market: Market) -> None:
    signed = []
    for name in ("bora", "jun"):
        body = {"email": f"{name}@example.com", "password": "a password", "nickname": name}
        first = await client.post("/api/auth/signup", body, Idempotency_Key="1")
        assert await client.post("/api/auth/signup", body, Idempotency_Key="1") == first
        signed.append(first["member"]["id"])
    assert await market.db.fetch_value("SELECT count(*) FROM members") == len(set(signed)) == 2


async def test_a_refusal_is_an_answer_too(client: Client) -> None:
    seller, first, second = [await client.member(name) for name in "abc"]
    product = await seller.product()
    trade = await first.buy(product["id"])
    path = f"/api/products/{product['id']}/trades"
    refused = await second.call("POST", path, Idempotency_Key="k")
    await first.post(f"/api/trades/{trade['id']}/cancel", {"reason": "why"})
    again = await second.call("POST", path, Idempotency_Key="k")
    assert problem(refused) == problem(again) == (409, "sold_out")
    assert (await second.call("POST", path, Idempotency_Key="k2")).status_code == 201


async def test_twenty_presses_with_one_key_make_one_trade(client: Client, market: Market) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    path = f"/api/products/{(await seller.product(quantity=20))['id']}/trades"
    answers = await asyncio.gather(
        *(buyer.call("POST", path, Idempotency_Key="k") for _ in range(20))
    )
    made = {answer.content for answer in answers if answer.is_success}
    others = {problem(answer) for answer in answers if answer.is_error}
    assert len(made) == 1
    assert others <= {(409, "idempotency_in_progress")}
    assert await market.db.fetch_value("SELECT count(*) FROM trades") == 1


async def one_while_the_other_waits(
    dsn: str, table: str, id: str, *calls: Coroutine[Any, Any, httpx.Response]
) -> list[httpx.Response]:
    """The answer that comes while a row is held, and the one that waits for that row."""
    async with holding(dsn, table, id) as held:
        calling = {asyncio.create_task(call) for call in calls}
        answered, waiting = await asyncio.wait(calling, return_when=asyncio.FIRST_COMPLETED)
        await held.until_waiting(len(waiting))
    return [await call for call in (*answered, *waiting)]


async def test_two_processes_with_one_key_make_one_trade(
    client: Client, market: Market, settings: Settings, dsn: str, gateway: MemoryGateway
) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    product = (await seller.product(quantity=20))["id"]
    path = f"/api/products/{product}/trades"
    elsewhere = await Database.connect(dsn, size=2, name="another process")
    other = assemble(settings, elsewhere, Gateways(gateway), market.clock, TimeOrderedIds())
    async with in_process(other) as there:
        presses = [
            Client(door, buyer.token).call("POST", path, Idempotency_Key="k")
            for door in (client.http, there.http)
        ]
        refused, made = await one_while_the_other_waits(dsn, "products", product, *presses)
    await elsewhere.close()
    assert problem(refused) == (409, "idempotency_in_progress")
    assert made.status_code == 201
    assert await market.db.fetch_value("SELECT count(*) FROM trades") == 1


async def test_concurrent_listings_with_one_key_get_one_conflict(
    client: Client, market: Market, dsn: str
) -> None:
    seller = await client.member()
    listing = [seller.call("POST", "/api/products", NEW, Idempotency_Key="k") for _ in range(2)]
    # The one that lists waits for its seller's row; the other does not come so far.
    refused, made = await one_while_the_other_waits(dsn, "members", seller.id, *listing)
    assert [refused.status_code, made.status_code] == [409, 201]
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 1


async def test_while_the_first_asks_the_gateway_the_second_is_told_so(
    client: Client, gateway: MemoryGateway, clock: MovableClock
) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
    path = f"/api/payments/{payment['id']}/complete"
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await answer.wait()

    gateway.before_answer = hold
    first = asyncio.create_task(buyer.call("POST", path, Idempotency_Key="k"))
    await asked.wait()
    second = await buyer.call("POST", path, Idempotency_Key="k")
    assert problem(second) == (409, "idempotency_in_progress")
    answer.set()
    finished = await first
    assert finished.status_code == 200
    third = await buyer.call("POST", path, Idempotency_Key="k")
    assert third.content == finished.content


async def test_a_claim_whose_process_died_lapses(
    client: Client, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    path, body = f"/api/trades/{trade['id']}/payment", {"method": "CARD"}

    async def die() -> None:
        raise asyncio.CancelledError

    await buyer.post(path, body)
    payment = await market.db.fetch_value("SELECT id FROM payments")
    gateway.before_answer = die
    complete = f"/api/payments/{payment}/complete"
    with pytest.raises(asyncio.CancelledError):
        await buyer.call("POST", complete, Idempotency_Key="k")
    blocked = await buyer.call("POST", complete, Idempotency_Key="k")
    assert problem(blocked) == (409, "idempotency_in_progress")
    clock.move(seconds=LEASE.total_seconds())
    gateway.before_answer = MemoryGateway().before_answer
    assert (await buyer.call("POST", complete, Idempotency_Key="k")).status_code == 200


async def test_passing_trouble_is_not_kept(client: Client, gateway: MemoryGateway) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    path, body = f"/api/trades/{trade['id']}/payment", {"method": "CARD"}
    gateway.dead = True
    assert (await buyer.call("POST", path, body, Idempotency_Key="k")).status_code == 502
    gateway.dead = False
    assert (await buyer.call("POST", path, body, Idempotency_Key="k")).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_sensible_length(client: Client, key: str) -> None:
    seller = await client.member()
    refused = await seller.call("POST", "/api/products", NEW, Idempotency_Key=key)
    assert problem(refused) == (400, "invalid_request")


async def test_keys_are_forgotten_in_time(
    client: Client, market: Market, clock: MovableClock
) -> None:
    seller = await client.member()
    await seller.post("/api/products", NEW, Idempotency_Key="k")
    clock.move(seconds=RETENTION.total_seconds())
    assert await market.idempotency.purge_expired() == 0
    clock.move(seconds=timedelta(seconds=1).total_seconds())
    assert await market.idempotency.purge_expired() == 1


async def test_a_key_is_for_one_path_though_the_bodies_are_the_same(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    first, second = [(await seller.product())["id"] for _ in range(2)]
    await buyer.post(f"/api/products/{first}/trades", Idempotency_Key="k")
    other = await buyer.call("POST", f"/api/products/{second}/trades", Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused")
