"""The rush, through HTTP, on two server processes and the real database (R8, R12, R13).

Each of these goes red when its lock, version check or index is taken out; what was tried, and
what it looked like, is written down in docs/difficulties.md.
"""

from collections import Counter

import pytest

from market.kit.db.database import Database
from market.verify import broken
from tests.races.crowd import Crowd
from tests.support.processes import RunningMarket

# Each server process has ten connections, so that many can stand before a row at once.
ALL_CONNECTIONS = 20
# Buyers stand in line in their process, and the first of each line before the row.
ALL_LINES = 2


async def assert_nothing_is_broken(market: RunningMarket) -> None:
    db = await Database.connect(market.dsn, size=1, name="test")
    found = await broken(db)
    await db.close()
    assert found[:3] == [], f"and {len(found)} in all"


async def test_200_buyers_for_10_units_buy_exactly_10(
    crowd: Crowd, two_servers: RunningMarket
) -> None:
    seller, *buyers = await crowd.members(201)
    product = await crowd.product(seller, 10)
    path = f"/api/products/{product}/trades"
    presses = [buyer.post(path) for buyer in buyers]
    answers = await crowd.at_once(product, presses, waiting=ALL_LINES)
    said = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert said == {(201, None): 10, (409, "sold_out"): 190}
    shown = await crowd.shown(product)
    assert (shown["remaining"], shown["status"]) == (0, "RESERVED")
    live = "SELECT count(*) FROM trades WHERE product_id = $1"
    assert await crowd.db.fetchval(live, product) == 10
    await assert_nothing_is_broken(two_servers)


async def test_one_buyer_pressing_20_times_gets_one_trade(
    crowd: Crowd, two_servers: RunningMarket
) -> None:
    seller, here = await crowd.members(2)
    (elsewhere,) = await crowd.members(1)
    product = await crowd.product(seller, 20)
    path = f"/api/products/{product}/trades"
    there = type(here)(here.id, here.token, elsewhere.http)
    presses = [(here if number % 2 else there).post(path) for number in range(20)]
    answers = await crowd.at_once(product, presses, waiting=ALL_LINES)
    said = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert said == {(201, None): 1, (409, "already_bought"): 19}
    assert (await crowd.shown(product))["remaining"] == 19
    await assert_nothing_is_broken(two_servers)


@pytest.mark.timeout(600)
async def test_the_last_two_of_50_confirmations_complete_the_product_100_times_in_a_row(
    crowd: Crowd, two_servers: RunningMarket
) -> None:
    seller, *buyers = await crowd.members(51)
    for _ in range(100):
        product, last_two = await crowd.approved_trades(seller, buyers, confirmed=48)
        confirmations = [
            buyer.post(f"/api/trades/{trade}/confirm")
            for buyer, trade in zip(buyers[48:], last_two, strict=True)
        ]
        answers = await crowd.at_once(product, confirmations, waiting=2)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await crowd.shown(product))["status"] == "COMPLETED"
    await assert_nothing_is_broken(two_servers)


async def test_50_confirmations_at_the_same_instant_are_all_counted(
    crowd: Crowd, two_servers: RunningMarket
) -> None:
    seller, *buyers = await crowd.members(51)
    product, trades = await crowd.approved_trades(seller, buyers, confirmed=0)
    confirmations = [
        buyer.post(f"/api/trades/{trade}/confirm")
        for buyer, trade in zip(buyers, trades, strict=True)
    ]
    answers = await crowd.at_once(product, confirmations, waiting=ALL_CONNECTIONS)
    assert {answer.status_code for answer in answers} == {200}
    assert (await crowd.shown(product))["status"] == "COMPLETED"
    await assert_nothing_is_broken(two_servers)


async def test_one_trade_confirmed_10_times_at_once_is_counted_once(
    crowd: Crowd, two_servers: RunningMarket
) -> None:
    seller, buyer, other = await crowd.members(3)
    product, (trade, _) = await crowd.approved_trades(seller, [buyer, other], confirmed=0)
    confirmations = [buyer.post(f"/api/trades/{trade}/confirm") for _ in range(10)]
    answers = await crowd.at_once(product, confirmations, waiting=5)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    assert (await crowd.shown(product))["status"] == "RESERVED"
    await assert_nothing_is_broken(two_servers)
