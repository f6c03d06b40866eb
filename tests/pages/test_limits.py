"""Pages are no way around the limits that the API keeps."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.limits import PaymentLimits
from market.products.drafts import DRAFTS_MAX
from market.settings import Settings
from market.shared.errors import RateLimited
from market.shared.ids import MemberId
from tests.support.acts import Acts
from tests.support.browser import browsing
from tests.web.person import CHAIR

from .conftest import Guest
from .forms import Fields, sent


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits=True)


async def test_guessing_passwords_in_the_form_ends_in_429(guest: Guest) -> None:
    tried = {"email": "x@example.com", "password": "not this one"}
    answers = [(await guest.send("/signin", **tried)).status_code for _ in range(21)]
    assert answers == [401] * 20 + [429]


async def test_signing_up_in_the_form_is_counted(guest: Guest) -> None:
    wish = {"email": "y@example.com", "password": "short", "nickname": "y"}
    answers = [(await guest.send("/signup", **wish)).status_code for _ in range(11)]
    assert answers == [400] * 10 + [429]


async def used_up(take: Callable[[MemberId], Awaitable[None]], member: MemberId) -> None:
    with suppress(RateLimited):
        while True:
            await take(member)


async def test_forms_that_reach_the_gateway_are_counted_by_member(
    acts: Acts, market: Market
) -> None:
    seller = await acts.member()
    product = await acts.product(seller, quantity=2)
    member, pair = await market.members.sign_up("b@example.com", "no password", "buyer")
    buyer = member.person
    trade = await market.trades.buy(product.id, buyer)
    payment = await acts.payment(trade)
    limits = PaymentLimits(market.rate_limits)
    for take in (limits.begin, limits.complete, limits.cancel):
        await used_up(take, buyer.id)
    async with browsing(market, pair) as browser:
        for page, path, fields in (
            (f"/trades/{trade.id}/checkout", f"/trades/{trade.id}/checkout", {"method": "CARD"}),
            (f"/trades/{trade.id}/checkout", f"/payments/{payment.id}/complete", {}),
            (f"/trades/{trade.id}/cancel", f"/trades/{trade.id}/cancel", {"reason": "변심"}),
        ):
            await browser.open(page)
            assert (await browser.send(path, **fields)).status_code == 429, path
        assert await browser.status(f"/payments/{payment.id}/return") == 429


async def test_forms_of_a_member_who_is_signed_out_are_counted(guest: Guest, db: Database) -> None:
    await guest.sign_up()
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    await guest.send("/signout")
    answers = [(await sent(guest, "/sell", fields)).status_code for _ in range(21)]
    assert answers == [303] * 20 + [429]
    assert await db.fetch_value("SELECT count(*) FROM drafts") == DRAFTS_MAX
