"""HEAD is answered as GET, without a body: monitors and link previews ask that way first."""

import asyncio
import re

import pytest
from litestar.routes import HTTPRoute

from market.app import Market
from market.shared.money import Money
from tests.support.browser import browsing
from tests.support.web import Client, serving

# Whether the answer's length is the same twice is of no interest where it tells the time.
TIMES = {"/metrics"}


def paths(market: Market) -> list[str]:
    """Every path that can be got, with something in the place of its parameters."""
    with serving(market) as app:
        got = [r.path for r in app.routes if isinstance(r, HTTPRoute) and "GET" in r.methods]
    return [re.sub(r"\{name[^}]*\}", "shop.css", path) for path in got]


async def test_every_page_and_call_that_can_be_got_answers_head(
    client: Client, market: Market
) -> None:
    product = (await (await client.member()).product())["id"]
    asked = 0
    for path in paths(market):
        there = re.sub(r"\{[^}]*\}", product, path)
        got = await client.http.get(there)
        head = await client.http.head(there)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers.get("content-type") == got.headers.get("content-type"), path
        if path not in TIMES and got.is_success:
            assert head.headers.get("content-length") == got.headers.get("content-length"), path
        asked += 1
    assert asked > 40


@pytest.mark.parametrize("path", ["/api/auth/login", "/nowhere"])
async def test_what_can_not_be_got_has_no_head(client: Client, path: str) -> None:
    got = await client.http.get(path)
    assert (await client.http.head(path)).status_code == got.status_code in {404, 405}


async def test_head_of_a_stream_without_an_end_comes_to_one(market: Market) -> None:
    member, pair = await market.members.sign_up("b@example.com", "no password", "buyer")
    seller, _ = await market.members.sign_up("s@example.com", "no password", "seller")
    product = await market.products.list_new(seller.person, "의자", Money(1000), 1, "")
    trade = await market.trades.buy(product.id, member.person)
    async with browsing(market, pair) as browser, asyncio.timeout(10):
        answer = await browser.head(f"/trades/{trade.id}/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
