"""ACIDRain (SIGMOD 2017) through HTTP at two server processes: stock, balances and cart, where two
requests each pass a check that only one of them should.

Buying: tests/races/test_rush.py. Approve against cancel, confirm against cancel, two who settle,
two parts of 60 on 100: tests/services/test_refunds.py, 100 times each. One refresh token twice:
tests/api/test_auth.py. What is here is tried where only the database can tell the servers apart.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import asyncpg
import httpx
import pytest

from market.kit.db.database import Database
from market.verify import broken
from tests.attacks.conftest import PATIENCE_S, Siege
from tests.support.barrier import at_once
from tests.support.web import Client

Two = tuple[Client, Client]


@pytest.fixture
async def doors(siege: Siege) -> AsyncIterator[Two]:
    first, second = siege.market.servers
    async with (
        httpx.AsyncClient(base_url=first, timeout=PATIENCE_S) as one,
        httpx.AsyncClient(base_url=second, timeout=PATIENCE_S) as two,
    ):
        yield Client(one), Client(two)
    db = await Database.connect(siege.market.dsn, size=1, name="test")
    assert (await broken(db))[:3] == []
    await db.close()


def there(who: Client, door: Client) -> Client:
    """The same member at the other server."""
    return Client(door.http, who.token, who.refresh_token, who.id, who.email)


class Bought:
    """Something bought and paid for by card."""

    def __init__(self, siege: Siege, doors: Two) -> None:
        self._siege, self._doors = siege, doors

    async def __call__(self, quantity: int = 1) -> "Bought":
        here, other = self._doors
        self.seller, self.buyer = await here.member("s"), await other.member("b")
        self.product = (await self.seller.product(quantity))["id"]
        self.trade = (await self.buyer.buy(self.product))["id"]
        body = {"method": "CARD"}
        payment = await self.buyer.post(f"/api/trades/{self.trade}/payment", body)
        self.payment = payment["id"]
        async with httpx.AsyncClient(base_url=self._siege.market.sandbox) as sandbox:
            paid = {"payment_id": self.payment, "outcome": "paid"}
            (await sandbox.post("/control/pay", json=paid)).raise_for_status()
        await self.buyer.post(f"/api/payments/{self.payment}/complete")
        return self

    async def meeting(
        self, *acts: Awaitable[httpx.Response], waiting: int, at: str = "trades"
    ) -> list[tuple[int, str | None]]:
        """All act while the row is held until `waiting` stand before it; what each was told."""
        id = {"trades": self.trade, "products": self.product, "payments": self.payment}[at]
        answers = await at_once(self._siege.market.dsn, at, id, *acts, waiting=waiting)
        return [(answer.status_code, answer.json().get("code")) for answer in answers]

    async def state(self) -> tuple[str, int]:
        """The trade's status, and what went back of its 1000."""
        shown = await self.buyer.get(f"/api/payments/{self.payment}")
        trade = await self.buyer.get(f"/api/trades/{self.trade}")
        return trade["status"], shown["cancelled_amount"]


@pytest.fixture
def bought(siege: Siege, doors: Two) -> Bought:
    return Bought(siege, doors)


async def test_two_cancels_at_two_servers_send_the_money_back_once(
    bought: Bought, doors: Two
) -> None:
    await bought()
    path, body = f"/api/trades/{bought.trade}/cancel", {"reason": "both of us"}
    told = await bought.meeting(
        there(bought.buyer, doors[0]).call("POST", path, body),
        there(bought.buyer, doors[1]).call("POST", path, body),
        there(bought.seller, doors[1]).call("POST", path, body),
        waiting=2,
        at="products",
    )
    assert {status for status, _ in told} <= {200, 202}
    await bought.buyer.post(f"/api/payments/{bought.payment}/complete")
    assert await bought.state() == ("CANCELLED", 1000)
    assert (await bought.buyer.get(f"/api/products/{bought.product}"))["remaining"] == 1


async def test_of_ten_parts_at_once_no_more_goes_back_than_was_paid(
    bought: Bought, doors: Two
) -> None:
    """The voucher spent twice: 10 × 400 of 1000, at both servers."""
    await bought()
    path, body = f"/api/payments/{bought.payment}/cancel", {"reason": "a part", "amount": 400}
    parts = [
        there(bought.seller, doors[number % 2]).call("POST", path, body) for number in range(10)
    ]
    told = Counter(status for status, _ in await bought.meeting(*parts, waiting=5, at="products"))
    assert told[200] + told[202] in {1, 2}
    assert set(told) <= {200, 202, 409}
    await bought.buyer.post(f"/api/payments/{bought.payment}/complete")
    trade, returned = await bought.state()
    assert (trade, returned) in {("PAID", 400), ("PAID", 800)}


async def test_a_part_and_the_whole_at_once_are_never_more_than_the_whole(
    bought: Bought, doors: Two
) -> None:
    await bought()
    part = {"reason": "a part", "amount": 600}
    await bought.meeting(
        there(bought.seller, doors[0]).call("POST", f"/api/payments/{bought.payment}/cancel", part),
        there(bought.buyer, doors[1]).call(
            "POST", f"/api/trades/{bought.trade}/cancel", {"reason": "all of it"}
        ),
        waiting=2,
        at="products",
    )
    await bought.buyer.post(f"/api/payments/{bought.payment}/complete")
    assert await bought.state() in {("CANCELLED", 1000), ("PAID", 600)}


async def test_a_quantity_lowered_while_others_buy_never_leaves_more_sold_than_there_are(
    bought: Bought, doors: Two
) -> None:
    """The cart changed during checkout: one more unit is sold, or there is none to sell."""
    await bought(quantity=3)
    late = [await doors[number].member() for number in range(2)]
    path = f"/api/products/{bought.product}"
    told = await bought.meeting(
        there(bought.seller, doors[0]).call("PATCH", path, {"quantity": 1}),
        *(buyer.call("POST", f"{path}/trades") for buyer in late),
        waiting=3,
        at="products",
    )
    shown = await bought.buyer.get(path)
    sold = 1 + [status for status, _ in told[1:]].count(201)
    assert shown["quantity"] - shown["remaining"] == sold
    assert shown["remaining"] >= 0
    assert told[0] in {(200, None), (409, "quantity_below_taken")}
    assert (told[0][0] == 200) == (shown["quantity"] == 1)


async def test_a_price_raised_while_somebody_buys_is_theirs_or_it_is_not(
    bought: Bought, doors: Two
) -> None:
    """Never one price in the trade and another to pay (R10, P2)."""
    await bought(quantity=2)
    late = await doors[1].member()
    path = f"/api/products/{bought.product}"
    await bought.meeting(
        there(bought.seller, doors[0]).call("PATCH", path, {"price": 9_999}),
        late.call("POST", f"{path}/trades"),
        waiting=2,
        at="products",
    )
    (trade,) = (await late.get("/api/me/purchases"))["items"]
    payment = await late.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
    assert trade["price"] == payment["amount"]
    assert trade["price"] in {1000, 9_999}


async def test_paying_begun_twice_at_two_servers_is_one_payment(doors: Two, siege: Siege) -> None:
    seller, buyer = await doors[0].member(), await doors[1].member()
    trade = await buyer.buy((await seller.product())["id"])
    path, body = f"/api/trades/{trade['id']}/payment", {"method": "CARD"}
    begun = [there(buyer, doors[number % 2]).call("POST", path, body) for number in range(6)]
    product = trade["product"]["id"]
    answers = await at_once(siege.market.dsn, "products", product, *begun, waiting=4)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_of_two_who_approve_and_confirm_twice_each_step_counts_once(
    bought: Bought, doors: Two
) -> None:
    await bought()
    for step, who in (("approve", bought.seller), ("confirm", bought.buyer)):
        path = f"/api/trades/{bought.trade}/{step}"
        acts = [there(who, door).call("POST", path) for door in doors]
        told = await bought.meeting(*acts, waiting=2)
        assert sorted(told, key=str) == [(200, None), (409, "invalid_transition")]


async def test_one_address_signs_up_once_at_two_servers(doors: Two, siege: Siege) -> None:
    """Nothing is there yet that could be locked: the unique index alone decides."""
    body: dict[str, Any] = {
        "email": "twice@race.test",
        "password": "a password",
        "nickname": "twice",
    }
    spellings = ["twice@race.test", "TWICE@race.test", " twice@race.Test"] * 2
    acts = [
        doors[number % 2].call("POST", "/api/auth/signup", body | {"email": spelling})
        for number, spelling in enumerate(spellings)
    ]
    answers = await asyncio.gather(*acts)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    connection = await asyncpg.connect(siege.market.dsn)
    made = "SELECT count(*) FROM members WHERE email = 'twice@race.test'"
    assert await connection.fetchval(made) == 1
    await connection.close()


async def test_one_key_at_two_servers_does_its_work_once(doors: Two) -> None:
    """The same POST, repeated by an impatient client to whichever server answers first."""
    seller = await doors[0].member()
    body = {"name": "chair", "price": 1000, "quantity": 1}
    acts = [
        there(seller, doors[number % 2]).call("POST", "/api/products", body, Idempotency_Key="one")
        for number in range(8)
    ]
    answers = await asyncio.gather(*acts)
    assert {answer.status_code for answer in answers} <= {201, 409}
    listed = (await seller.get(f"/api/products?seller_id={seller.id}"))["items"]
    assert len(listed) == 1


async def test_a_refresh_token_spent_at_two_servers_ends_its_session(
    doors: Two, siege: Siege
) -> None:
    member = await doors[0].member()
    body = {"refresh_token": member.refresh_token}
    connection = await asyncpg.connect(siege.market.dsn)
    session = await connection.fetchval("SELECT id FROM sessions WHERE member_id = $1", member.id)
    await connection.close()
    both = [door.call("POST", "/api/auth/refresh", body) for door in doors]
    answers = await at_once(siege.market.dsn, "sessions", session.hex, *both, waiting=2)
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    for door in doors:
        assert (await there(member, door).call("GET", "/api/me")).status_code == 401
