"""A member's inbox: what is opened is read, and no more."""

import re
from collections.abc import AsyncIterator

import pytest

from market.app import Market
from market.shared.ids import MemberId
from tests.support.acts import Acts
from tests.support.browser import Browser, browsing

LINE = re.compile(r'<li class="notice( is-new)?"><a href="([^"]+)">')


async def of(market: Market, member: MemberId) -> AsyncIterator[Browser]:
    pair = await market.members.begin_session(await market.members.get(member))
    async with browsing(market, pair) as browser:
        yield browser


async def lines(browser: Browser) -> list[tuple[bool, str]]:
    """Whether each is new, and where it leads; the newest first."""
    await browser.open("/me/notices")
    return [(bool(new), place) for new, place in LINE.findall(browser.page)]


async def test_a_notice_that_is_opened_is_read_with_those_its_trade_told_before(
    acts: Acts, market: Market
) -> None:
    (one, _), (other, _) = await acts.paid_trade(), await acts.paid_trade()
    await market.trades.approve(one.id, one.seller.id)
    await market.trades.confirm(one.id, one.buyer.id)
    async for seller in of(market, one.seller.id):
        newest, paid = await lines(seller)
        assert (newest[0], paid[0]) == (True, True)
        assert await seller.status(paid[1]) == 303
        # The later one is not read: it says something that this one did not.
        assert [new for new, _ in await lines(seller)] == [True, False]
        assert await seller.status(newest[1]) == 303
        assert [new for new, _ in await lines(seller)] == [False, False]
    async for another in of(market, other.seller.id):
        assert [new for new, _ in await lines(another)] == [True]
        assert await another.status(newest[1]) == 404


@pytest.mark.parametrize("id", ["0" * 32, "nothing", "%00"])
async def test_a_notice_that_is_not_one_s_own_is_not_there(
    acts: Acts, market: Market, id: str
) -> None:
    trade, _ = await acts.paid_trade()
    async for seller in of(market, trade.seller.id):
        assert await seller.status(f"/me/notices/{id}") == 404
        assert [new for new, _ in await lines(seller)] == [True]
