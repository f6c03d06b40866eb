"""What somebody saw is what they agree to: when it changed since, they are asked again."""

import asyncio
from typing import Any

import httpx
import pytest

from market.app import Market
from market.kit.db.database import Database
from tests.support.acts import many_trades
from tests.support.barrier import holding
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, problem

STALE = (412, "stale")
REFUSED, DONE = (409, "refund_refused"), "SUCCEEDED"
CHANGED, OTHER_AMOUNT = (409, "price_changed"), (409, "amount_changed")


async def test_an_edit_of_what_was_edited_since_changes_nothing(client: Client) -> None:
    seller = await client.member()
    path = f"/api/products/{(await seller.product())['id']}"
    seen = (await seller.call("GET", path)).headers["etag"]
    assert (await client.call("GET", path)).headers["etag"] == seen  # by the lane too
    first = await seller.call("PATCH", path, {"price": 2000}, If_Match=seen)
    assert first.json()["price"] == 2000
    second = await seller.call("PATCH", path, {"description": "새것"}, If_Match=seen)
    assert problem(second) == STALE
    shown = await seller.call("GET", path)
    assert (shown.json()["price"], shown.json()["description"]) == (2000, "")
    assert shown.headers["etag"] == first.headers["etag"] != seen
    fresh = first.headers["etag"]
    again = await seller.call("PATCH", path, {"description": "새것"}, If_Match=fresh)
    assert again.json()["description"] == "새것"


async def test_a_purchase_is_no_edit(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    product = (await seller.product(quantity=2))["id"]
    seen = (await seller.call("GET", f"/api/products/{product}")).headers["etag"]
    await buyer.buy(product)
    edited = await seller.call("PATCH", f"/api/products/{product}", {"price": 2}, If_Match=seen)
    assert (edited.status_code, edited.json()["remaining"]) == (200, 1)


async def test_tags_that_are_not_its_own_match_nothing(client: Client, market: Market) -> None:
    seller = await client.member()
    path = f"/api/products/{(await seller.product())['id']}"
    for tag in ("", "0", '"1"', '"x"', "nonsense", '"0', '"-0"', f'"{"0" * 50}"', '"1", "2"'):
        refused = await seller.call("PATCH", path, {"price": 2}, If_Match=tag)
        assert problem(refused) == STALE, tag
    assert await market.db.fetch_value("SELECT version FROM products") == 0
    for tag in ("*", '"5", "1"', 'W/"2"'):
        edited = await seller.call("PATCH", path, {"price": 2}, If_Match=tag)
        assert edited.status_code == 200, tag


async def test_who_may_not_edit_is_told_that_first(client: Client) -> None:
    seller, other = await client.member("s"), await client.member("o")
    path = f"/api/products/{(await seller.product())['id']}"
    refused = await other.call("PATCH", path, {"price": 2}, If_Match='"9"')
    assert problem(refused) == (403, "not_your_product")


# ── the price a buyer saw ──


async def test_nobody_buys_at_a_price_they_did_not_see(client: Client, market: Market) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    path = f"/api/products/{(await seller.product(price=10_000))['id']}"
    await seller.call("PATCH", path, {"price": 990_000})
    for price in (10_000, 989_999, 1, 2**62):
        refused = await buyer.call("POST", f"{path}/trades", {"expected_price": price})
        assert problem(refused) == CHANGED
        assert refused.json()["about"]["price"] == 990_000
    assert await market.db.fetch_value("SELECT taken FROM products") == 0
    bought = await buyer.post(f"{path}/trades", {"expected_price": 990_000})
    assert bought["price"] == 990_000


@pytest.mark.parametrize("body", [None, {}, {"expected_price": None}])
async def test_a_buyer_who_names_no_price_buys_at_todays(client: Client, body: Any) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    path = f"/api/products/{(await seller.product())['id']}/trades"
    assert (await buyer.post(path, body))["price"] == 1000


@pytest.mark.parametrize("price", ["1000", 1000.0, -1, 0, True, [1000], {"amount": 1000}])
async def test_a_price_is_a_whole_number(client: Client, price: Any) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    path = f"/api/products/{(await seller.product())['id']}/trades"
    refused = await buyer.call("POST", path, {"expected_price": price})
    assert problem(refused) == (400, "invalid_request")


async def test_what_says_more_than_the_price_is_told_first(client: Client) -> None:
    seller, buyer, other = [await client.member(name) for name in "sbo"]
    path = f"/api/products/{(await seller.product())['id']}/trades"
    wrong = {"expected_price": 1}
    assert problem(await seller.call("POST", path, wrong)) == (403, "own_product")
    await buyer.post(path)
    assert problem(await buyer.call("POST", path, wrong)) == (409, "already_bought")
    assert problem(await other.call("POST", path, wrong)) == (409, "sold_out")


async def test_in_a_group_each_buyer_is_held_to_the_price_they_saw(
    client: Client, market: Market, dsn: str
) -> None:
    """Those who press at once share one transaction; the price changes while they wait for it."""
    seller, *buyers = [await client.member(f"m{n}") for n in range(7)]
    id = (await seller.product(quantity=9, price=10_000))["id"]
    async with holding(dsn, "products", id) as held:
        first = asyncio.create_task(seller.call("PATCH", f"/api/products/{id}", {"price": 20_000}))
        await held.until_waiting(1)
        presses = [
            asyncio.create_task(buyer.call("POST", f"/api/products/{id}/trades", body))
            for buyer, body in zip(
                buyers,
                [{"expected_price": price} for price in (10_000, 20_000) * 2] + [None, {}],
                strict=True,
            )
        ]
        await held.until_waiting(2)
    assert (await first).status_code == 200
    answers: list[httpx.Response] = await asyncio.gather(*presses)
    told = [problem(one) if one.is_error else one.json()["price"] for one in answers]
    assert told == [CHANGED, 20_000, CHANGED, 20_000, 20_000, 20_000]
    assert await market.db.fetch_value("SELECT taken FROM products") == 4


async def test_a_refusal_for_the_price_is_kept_for_its_key(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    path = f"/api/products/{(await seller.product())['id']}"
    seen = {"expected_price": 999}
    for _ in range(2):
        refused = await buyer.call("POST", f"{path}/trades", seen, Idempotency_Key="k")
        assert problem(refused) == CHANGED
        await seller.call("PATCH", path, {"price": 999})
    other = await buyer.call("POST", f"{path}/trades", Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused")


# ── the amount a party agrees to ──


async def paid(client: Client, gateway: MemoryGateway) -> tuple[Client, Client, str, str]:
    """A seller, a buyer, and the paths of a trade of 10,000 and of its payment."""
    seller, buyer = await client.member("s"), await client.member("b")
    trade = (await buyer.buy((await seller.product(price=10_000))["id"]))["id"]
    payment = (await buyer.post(f"/api/trades/{trade}/payment", {"method": "CARD"}))["id"]
    gateway.pay(payment, 10_000)
    await buyer.post(f"/api/payments/{payment}/complete")
    return seller, buyer, f"/api/trades/{trade}", f"/api/payments/{payment}/cancel"


async def test_a_seller_approves_no_amount_they_did_not_see(
    client: Client, gateway: MemoryGateway
) -> None:
    seller, buyer, trade, refund = await paid(client, gateway)
    seen = {"expected_amount": 10_000}
    await buyer.post(refund, {"reason": "a scratch", "amount": 9_000})
    for wrong in (seen, {"expected_amount": 0}, {"expected_amount": 1_001}):
        refused = await seller.call("POST", f"{trade}/approve", wrong)
        assert problem(refused) == OTHER_AMOUNT
        assert refused.json()["about"]["amount"] == 1_000
    assert (await seller.get(trade))["status"] == "PAID"
    approved = await seller.post(f"{trade}/approve", {"expected_amount": 1_000})
    assert approved["status"] == "SALE_APPROVED"


async def test_a_buyer_confirms_no_amount_they_did_not_see(
    client: Client, gateway: MemoryGateway, market: Market
) -> None:
    seller, buyer, trade, refund = await paid(client, gateway)
    await seller.post(f"{trade}/approve", {"expected_amount": 10_000})
    await seller.post(refund, {"reason": "a scratch", "amount": 4_000})
    refused = await buyer.call("POST", f"{trade}/confirm", {"expected_amount": 10_000})
    assert problem(refused) == OTHER_AMOUNT
    assert await market.db.fetch_value("SELECT confirmed FROM products") == 0
    confirmed = await buyer.post(f"{trade}/confirm", {"expected_amount": 6_000})
    assert confirmed["status"] == "PURCHASE_CONFIRMED"
    # What is done is done, for whatever amount.
    again = await buyer.call("POST", f"{trade}/confirm", {"expected_amount": 1})
    assert problem(again) == (409, "invalid_transition")


@pytest.mark.parametrize("body", [None, {}, {"expected_amount": None}])
async def test_who_names_no_amount_agrees_to_what_there_is(
    client: Client, gateway: MemoryGateway, body: Any
) -> None:
    seller, buyer, trade, refund = await paid(client, gateway)
    await buyer.post(refund, {"reason": "a scratch", "amount": 4_000})
    await seller.post(f"{trade}/approve", body)
    assert (await buyer.post(f"{trade}/confirm", body))["status"] == "PURCHASE_CONFIRMED"


@pytest.mark.parametrize("amount", ["10000", 10_000.0, -1, True])
async def test_an_amount_is_a_whole_number(
    client: Client, gateway: MemoryGateway, amount: Any
) -> None:
    seller, _, trade, _ = await paid(client, gateway)
    refused = await seller.call("POST", f"{trade}/approve", {"expected_amount": amount})
    assert problem(refused) == (400, "invalid_request")
    stranger = await client.member("x")
    told = await stranger.call("POST", f"{trade}/approve", {"expected_amount": 1})
    assert problem(told) == (404, "not_found")


# ── what was asked is answered truly ──


@pytest.mark.parametrize("part", [{}, {"amount": 3_000}])
async def test_a_refund_that_the_gateway_refused_is_no_yes(
    client: Client, gateway: MemoryGateway, part: dict[str, int]
) -> None:
    seller, buyer, trade, refund = await paid(client, gateway)
    gateway.refuse = "not this month"
    wish = {"reason": "changed my mind"} | part
    for _ in range(2):
        refused = await buyer.call("POST", refund, wish, Idempotency_Key="k")
        assert problem(refused) == REFUSED
        assert refused.json()["about"]["reason"] == "not this month"
        assert "not this month" in refused.json()["detail"]
    refused = await seller.call("POST", f"{trade}/cancel", {"reason": "gone"})
    assert problem(refused) == REFUSED
    shown = await buyer.get(trade)
    assert (shown["status"], shown["cancel_in_progress"]) == ("PAID", False)
    gateway.refuse = None
    assert (await buyer.call("POST", refund, wish)).status_code == 200


async def test_a_part_that_is_asked_for_with_a_forgotten_key_is_no_silent_yes(
    client: Client, gateway: MemoryGateway, market: Market, clock: MovableClock
) -> None:
    _, buyer, trade, refund = await paid(client, gateway)
    wish = {"reason": "a scratch", "amount": 1_000}
    first = await buyer.post(refund, wish, Idempotency_Key="R")
    clock.move(minutes=9)
    buyer = await buyer.again()
    assert await buyer.post(refund, wish, Idempotency_Key="R") == first
    clock.move(hours=25)
    await market.idempotency.purge_expired()
    buyer = await buyer.again()
    told = await buyer.call("POST", refund, wish, Idempotency_Key="R")
    assert problem(told) == (409, "refund_already_asked")
    assert (await buyer.get(trade))["refunded_amount"] == 1_000
    assert len(gateway.cancels) == 1


async def test_a_part_that_is_all_by_now_calls_off_nothing(
    client: Client, gateway: MemoryGateway
) -> None:
    """The seller means 7,000 of 10,000; the buyer had 3,000 back meanwhile."""
    seller, buyer, trade, refund = await paid(client, gateway)
    part = {"amount": 3_000, "reason": "a scratch", "expected_amount": 10_000}
    assert (await buyer.call("POST", refund, part)).status_code == 200
    for amount in (7_000, 5_000, None):
        asked = {"amount": amount, "reason": "late", "expected_amount": 10_000}
        refused = await seller.call("POST", refund, asked)
        assert problem(refused) == OTHER_AMOUNT
        assert refused.json()["about"]["amount"] == 7_000
    assert (await seller.get(trade))["status"] == "PAID"
    assert gateway.cancels[1:] == []
    asked = {"amount": 7_000, "reason": "late", "expected_amount": 7_000}
    assert (await seller.call("POST", refund, asked)).status_code == 200
    assert (await seller.get(trade))["status"] == "CANCELLED"


async def test_both_parties_see_what_went_back_and_why(
    client: Client, gateway: MemoryGateway
) -> None:
    seller, buyer, trade, refund = await paid(client, gateway)
    await seller.post(refund, {"reason": "a scratch", "amount": 3_000})
    await buyer.post(refund, {"reason": "two scratches", "amount": 2_000})
    gateway.refuse = "not today"
    await buyer.call("POST", refund, {"reason": "three", "amount": 500})
    for party in (seller, buyer):
        shown = (await party.get(trade))["payment"]["refunds"]
        assert [{k: one[k] for k in one if k != "created_at"} for one in shown] == [
            {"amount": 3_000, "reason": "a scratch", "requested_by": "SELLER", "status": DONE},
            {"amount": 2_000, "reason": "two scratches", "requested_by": "BUYER", "status": DONE},
        ]


async def test_why_a_card_was_declined_is_its_holders_alone(
    client: Client, gateway: MemoryGateway
) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = (await buyer.buy((await seller.product())["id"]))["id"]
    payment = (await buyer.post(f"/api/trades/{trade}/payment", {"method": "CARD"}))["id"]
    gateway.fail(payment, "over the limit")
    assert (await buyer.post(f"/api/payments/{payment}/complete"))["failure"] == "over the limit"
    for party, told in ((buyer, "over the limit"), (seller, None)):
        assert (await party.get(f"/api/payments/{payment}"))["failure"] == told
        assert (await party.get(f"/api/trades/{trade}"))["payment"]["failure"] == told


async def test_every_trade_of_a_product_is_found_first_those_that_wait_for_the_seller(
    client: Client, gateway: MemoryGateway, db: Database
) -> None:
    """The paid one is the oldest of 205; of the others some are over."""
    seller, buyer, other = [await client.member(name) for name in ("s", "b", "o")]
    product = (await seller.product(quantity=300))["id"]
    paid = (await buyer.buy(product))["id"]
    payment = (await buyer.post(f"/api/trades/{paid}/payment", {"method": "CARD"}))["id"]
    gateway.pay(payment, 1000)
    await buyer.post(f"/api/payments/{payment}/complete")
    await many_trades(db, product, live=204, cancelled=20)
    wanted = {str(row["id"]) for row in await db.fetch("SELECT id FROM trades")}

    shown = await seller.get(f"/api/products/{product}")
    assert shown["trades"][0]["id"] == paid
    rest, at = shown["trades"], shown["trades_next_cursor"]
    while at is not None:
        page = await seller.get(f"/api/products/{product}/trades?limit=100&cursor={at}")
        rest, at = rest + page["items"], page["next_cursor"]
    assert [deal["status"] == "CANCELLED" for deal in rest] == [False] * 205 + [True] * 20
    assert len(rest) == len(wanted)
    assert {deal["id"] for deal in rest} == wanted

    own = await buyer.get(f"/api/products/{product}/trades")
    assert [deal["id"] for deal in own["items"]] == [paid]
    assert (await other.get(f"/api/products/{product}/trades"))["items"] == []
    for cursor in ("0", "3-" + paid, paid, "0-x", "-1-" + paid, "0-" + paid):
        page = await buyer.get(f"/api/products/{product}/trades?cursor={cursor}")
        assert page == {"items": [], "next_cursor": None}, cursor


async def test_one_at_a_time_the_trades_of_a_product_come_without_gap_or_overlap(
    client: Client, gateway: MemoryGateway, db: Database
) -> None:
    _, _, _, payment = await paid(client, gateway)
    seller = await client.member("many")
    product = (await seller.product(quantity=300))["id"]
    await many_trades(db, product, live=204, cancelled=20)
    await db.execute(
        "UPDATE trades SET status = 'PAID', payment_id = $1"
        " WHERE status = 'AWAITING_PAYMENT' AND right(id::text, 1) < '4'",
        payment.split("/")[3],
    )
    path, more = f"/api/products/{product}/trades?limit=7", ""
    seen: list[tuple[str, str]] = []
    while True:
        page = await seller.get(path + more)
        seen += [(deal["status"], deal["id"]) for deal in page["items"]]
        if page["next_cursor"] is None:
            break
        more = f"&cursor={page['next_cursor']}"
    assert len(set(seen)) == len(seen) == 224
    kinds = ["PAID", "AWAITING_PAYMENT", "CANCELLED"]
    assert seen == sorted(sorted(seen, reverse=True), key=lambda one: kinds.index(one[0]))
