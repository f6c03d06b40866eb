"""A form carries what its page showed: when that changed since, its sender is asked again."""

import re

from market.app import Market
from market.products.domain import Change
from market.shared.money import Money
from tests.support.browser import browsing

CHAIR = {"name": "원목 의자", "price": "45000", "quantity": "1", "description": "두 번 앉았어요."}


async def test_an_edit_form_that_is_out_of_date_says_so_and_keeps_what_was_typed(
    market: Market,
) -> None:
    member, pair = await market.members.sign_up("s@example.com", "no password", "seller")
    product = await market.products.list_new(member.person, "의자", Money(1000), 1, "")
    path = f"/products/{product.id}/edit"
    async with browsing(market, pair) as browser:
        await browser.open(path)
        seen = re.findall(r'name="revision" value="(\d+)"', browser.page)
        await market.products.change(product.id, member.id, Change(price=777, name="새 의자"))
        for revision in (*seen, "", "x", "-1", "*"):
            answer = await browser.send(path, **CHAIR, revision=revision)
            assert answer.status_code == 412
            for words in ("그 사이에", "777원", "새 의자", 'value="45000"', "두 번 앉았어요."):
                assert words in browser.page, words
        assert (await market.products.get(product.id)).price == Money(777)
        # The form now carries what it showed: who sends it again has seen what it replaces.
        (fresh,) = re.findall(r'name="revision" value="(\d+)"', browser.page)
        assert (await browser.send(path, **CHAIR, revision=fresh)).status_code == 303
    assert (await market.products.get(product.id)).price == Money(45000)
