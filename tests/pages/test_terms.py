"""A form carries what its page showed: when that changed since, its sender is asked again."""

import re

from market.app import Market
from market.kit.db import Database
from market.members.service import TokenPair
from market.payments.domain import Means, Method
from market.products.domain import Change
from market.shared.banking import Bank
from market.shared.money import Money
from market.shared.people import Person
from market.trades.domain import Status
from tests.support.acts import Acts
from tests.support.browser import browsing
from tests.support.gateway import MemoryGateway

ACCOUNT = {"bank": "KAKAO", "number": "333301234567", "holder": "김보라"}
DEPOSIT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
CHAIR = {"name": "원목 의자", "price": "45000", "quantity": "1", "description": "두 번 앉았어요."}


async def newcomer(market: Market, name: str) -> tuple[Person, TokenPair]:
    member, pair = await market.members.sign_up(f"{name}@example.com", "no password", name)
    return member.person, pair


async def test_an_edit_form_that_is_out_of_date_says_so_and_keeps_what_was_typed(
    market: Market,
) -> None:
    member, pair = await newcomer(market, "seller")
    product = await market.products.list_new(member, "의자", Money(1000), 1, "")
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


async def test_the_buy_button_buys_at_the_price_beside_it_alone(
    acts: Acts, market: Market, db: Database
) -> None:
    seller, (_, pair) = await acts.member(), await newcomer(market, "buyer")
    product = await acts.product(seller, price=10_000)
    path = f"/products/{product.id}"
    async with browsing(market, pair) as browser:
        await browser.open(path)
        await market.products.change(product.id, seller.id, Change(price=990_000))
        for price in (None, "1", "x"):
            fields = {} if price is None else {"price": price}
            answer = await browser.send(f"{path}/buy", **fields)
            assert answer.headers["location"].startswith(path)
            assert await db.value("SELECT count(*) FROM trades") == 0
            told = await browser.open(answer.headers["location"])
            assert "그 사이에 가격이 바뀌었어요" in told
            assert "990,000원" in told
        answer = await browser.send(f"{path}/buy")
    assert answer.headers["location"].endswith("/checkout")
    assert await db.value("SELECT price FROM trades") == 990_000


async def test_the_buttons_of_a_trade_agree_to_the_amount_beside_them_alone(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.pay(trade)
    path = f"/trades/{trade.id}"
    for who, pair, step, refunder, status in (
        ("seller", sells, "approve", buyer, Status.SALE_APPROVED),
        ("buyer", buys, "confirm", seller, Status.PURCHASE_CONFIRMED),
    ):
        async with browsing(market, pair) as browser:
            await browser.open(path)
            before = (await acts.now(trade)).status
            await market.refunds.cancel(payment, refunder.id, 300, "a scratch", None)
            answer = await browser.send(f"{path}/{step}")
            assert (await acts.now(trade)).status is before, who
            told = await browser.open(answer.headers["location"])
            assert "거래 금액이 바뀌었어요" in told
            left = 1000 - (await acts.now(trade)).refunded
            assert f"환불하고 남은 금액 {left:,}원" in told
            await browser.send(f"{path}/{step}")
        assert (await acts.now(trade)).status is status


async def test_a_refund_that_the_gateway_refused_is_told_at_its_form(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    await acts.pay(trade)
    gateway.refuse = "계약이 허락하지 않아요"
    path = f"/trades/{trade.id}/cancel"
    for pair in (buys, sells):
        async with browsing(market, pair) as browser:
            await browser.open(path)
            answer = await browser.send(path, reason="마음이 바뀌었어요")
            assert answer.status_code == 400
            assert "결제사가 환불을 거절했어요: 계약이 허락하지 않아요" in browser.text
            assert "마음이 바뀌었어요" in browser.page
    assert (await acts.now(trade)).status is Status.PAID


async def test_an_account_that_could_not_be_paid_into_is_told_at_its_form(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, _), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await market.payments.start(trade.id, buyer.id, DEPOSIT)
    gateway.pay(payment.id, 999)
    await market.payments.synchronize(payment.id)
    gateway.refuse = "없는 계좌"
    path = f"/trades/{trade.id}/refund-account"
    async with browsing(market, buys) as browser:
        await browser.open(path)
        answer = await browser.send(path, **ACCOUNT)
        assert (answer.status_code, "거절했어요: 없는 계좌" in browser.text) == (400, True)
        gateway.refuse = None
        assert (await browser.send(path, **ACCOUNT)).status_code == 303
    assert [sent.number for sent in gateway.sent_to if sent] == [ACCOUNT["number"]]
