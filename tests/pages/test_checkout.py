"""The checkout page asks a buyer for what the payment company must be told, and no more."""

import re
from collections.abc import AsyncIterator

import pytest

from market.app import Market
from market.payments.buyer import Buyer, BuyerField
from market.payments.demands import Demands
from market.payments.domain import Method
from market.shared.banking import Bank
from market.trades.domain import Trade
from tests.support.acts import Acts
from tests.support.browser import Browser, browsing
from tests.support.gateway import MemoryGateway

FIELDS = re.compile(r'name="buyer_(\w+)"')
GIVEN = {
    "buyer_name": "김보라",
    "buyer_phone": "010-1234-5678",
    "buyer_email": "bora@example.com",
}


@pytest.fixture
async def trade(acts: Acts) -> Trade:
    return await acts.trade()


@pytest.fixture
async def buyer(market: Market, trade: Trade) -> AsyncIterator[Browser]:
    member = await market.members.get(trade.buyer.id)
    async with browsing(market, await market.members.begin_session(member)) as browser:
        yield browser


async def test_nothing_is_asked_that_nobody_needs(buyer: Browser, trade: Trade) -> None:
    await buyer.open(f"/trades/{trade.id}/checkout")
    assert FIELDS.findall(buyer.page) == []


async def test_what_is_needed_is_asked_for_and_kept_when_something_is_missing(
    buyer: Browser, market: Market, trade: Trade, gateway: MemoryGateway
) -> None:
    gateway.demands = Demands({Method.CARD: frozenset(BuyerField)})
    page = f"/trades/{trade.id}/checkout"
    await buyer.open(page)
    assert FIELDS.findall(buyer.page) == ["name", "phone", "email"]
    for wrong in ({"buyer_phone": "1234"}, {"buyer_name": " "}, {"buyer_email": "nobody"}):
        answer = await buyer.send(page, method="CARD", **{**GIVEN, **wrong})
        assert answer.status_code == 400
        assert f'id="wrong-{next(iter(wrong))}"' in buyer.page
        for name in GIVEN.keys() - wrong.keys():
            assert f'value="{GIVEN[name]}"' in buyer.page
    answer = await buyer.send(page, method="CARD", **GIVEN)
    assert answer.status_code == 303
    id = answer.headers["location"].split("/")[2]
    payment = await market.payments.see(id, trade.buyer.id)  # type: ignore[arg-type]
    assert payment.buyer == Buyer("김보라", "01012345678", "bora@example.com")


async def test_banks_the_company_does_not_deal_with_are_not_offered(
    buyer: Browser, trade: Trade, gateway: MemoryGateway
) -> None:
    gateway.demands = Demands(account_banks=frozenset({Bank.IBK, Bank.HANA}))
    page = f"/trades/{trade.id}/checkout"
    await buyer.open(page)
    assert re.findall(r'<option value="(\w+)"', buyer.page) == ["HANA", "IBK"]
    answer = await buyer.send(page, method="VIRTUAL_ACCOUNT", bank="TOSS")
    assert (answer.status_code, 'id="wrong-bank"' in buyer.page) == (400, True)
    gateway.demands = Demands(account_banks=frozenset())
    await buyer.open(page)
    assert "VIRTUAL_ACCOUNT" not in buyer.page


async def test_a_refund_asks_for_what_the_company_needs(
    acts: Acts, market: Market, buyer: Browser, trade: Trade, gateway: MemoryGateway
) -> None:
    await buyer.open(f"/trades/{trade.id}/checkout")
    await buyer.send(f"/trades/{trade.id}/checkout", method="VIRTUAL_ACCOUNT", bank="HANA")
    payment = await market.payments._payments.find_open(trade.id)
    assert payment is not None
    gateway.pay(payment.id, payment.amount.amount)
    await market.payments.synchronize(payment.id)
    gateway.demands = Demands(refund_banks=frozenset({Bank.IBK}), refund_phone=True)
    page = f"/trades/{trade.id}/cancel"
    await buyer.open(page)
    assert re.findall(r'<option value="(\w+)"', buyer.page) == ["IBK"]
    account = {"number": "110 123 456789", "holder": "김보라", "reason": "왜냐하면"}
    answer = await buyer.send(page, bank="IBK", **account)
    assert (answer.status_code, 'id="wrong-phone"' in buyer.page) == (400, True)
    answer = await buyer.send(page, bank="TOSS", phone="010-1234-5678", **account)
    assert (answer.status_code, 'id="wrong-bank"' in buyer.page) == (400, True)
    assert gateway.cancels == []
    answer = await buyer.send(page, bank="IBK", phone="010-1234-5678", **account)
    assert answer.status_code == 303
    sent = gateway.sent_to[0]
    assert sent is not None
    assert (sent.number, sent.phone) == ("110123456789", "01012345678")
