"""A form carries what its page showed: when that changed since, its sender is asked again."""

import re

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.members.service import TokenPair
from market.payments.domain import Means, Method
from market.products.domain import Change
from market.shared.banking import Bank
from market.shared.money import Money
from market.shared.principals import MemberSummary
from market.trades.domain import Status
from tests.support.acts import Acts, many_trades
from tests.support.browser import browsing
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

ACCOUNT = {"bank": "KAKAO", "number": "333301234567", "holder": "김보라"}
DEPOSIT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
CHAIR = {"name": "원목 의자", "price": "45000", "quantity": "1", "description": "두 번 앉았어요."}


async def newcomer(market: Market, name: str) -> tuple[MemberSummary, TokenPair]:
    member, pair = await market.members.sign_up(f"{name}@example.com", "no password", name)
    return member.person, pair


async def again(market: Market, person: MemberSummary) -> TokenPair:
    """The same member, signed in anew: time has passed."""
    return await market.members.begin_session(await market.members.get(person.id))


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
            assert await db.fetch_value("SELECT count(*) FROM trades") == 0
            told = await browser.open(answer.headers["location"])
            assert "그 사이에 가격이 바뀌었어요" in told
            assert "990,000원" in told
        answer = await browser.send(f"{path}/buy")
    assert answer.headers["location"].endswith("/checkout")
    assert await db.fetch_value("SELECT price FROM trades") == 990_000


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
            assert f"환불 후 남은 금액 {left:,}원" in told
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


async def test_both_parties_read_what_went_back_and_why(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.pay(trade)
    await market.refunds.cancel(payment, seller.id, 300, "흠집이 있어요", None)
    for pair in (sells, buys):
        async with browsing(market, pair) as browser:
            text = await browser.open(f"/trades/{trade.id}")
            assert "환불 내역 300원 · 판매자: 흠집이 있어요" in text
            assert "300원 · 흠집이 있어요" in await browser.open("/me/notices")
            await browser.status("/lang/en")
            assert "흠집이 있어요" in await browser.open(f"/trades/{trade.id}")


async def test_a_reason_of_the_markets_own_is_said_in_words(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    (seller, _), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.pay(trade)
    gateway.give_back(payment, 1000)
    await market.payments.synchronize(payment)
    async with browsing(market, buys) as browser:
        for kept in ("cancelled_at_gateway", "cancelled at the payment gateway"):
            await db.execute("UPDATE trades SET cancel_reason = $1", kept)
            for path in (f"/trades/{trade.id}", "/me/notices"):
                text = await browser.open(path)
                assert "결제사에서 취소됐어요" in text, path
                assert "gateway" not in text
        await browser.status("/lang/en")
        assert "Cancelled at the payment gateway" in await browser.open(f"/trades/{trade.id}")


# ── pages say what is so ──


async def test_a_page_tells_of_an_act_after_the_act_alone_and_once(
    acts: Acts, market: Market
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    await acts.pay(trade)
    other = await market.trades.buy((await acts.product(seller)).id, buyer)
    words, page = "판매승인했어요. 이제 상품을 보내 주세요.", f"/trades/{trade.id}"
    async with browsing(market, sells) as browser, browsing(market, buys) as stranger:
        assert words not in await browser.open(f"{page}?say=approved")
        await browser.open(page)
        address = (await browser.send(f"{page}/approve")).headers["location"]
        # Not on another page, nor to somebody else, whose browser has no such cookie.
        for link in (f"/trades/{other.id}?say=approved", f"{page}?say=confirmed", page):
            assert words not in await browser.open(link)
        assert words not in await stranger.open(address)
        assert words in await browser.open(address)
        assert words not in await browser.open(address)


async def test_a_flash_is_believed_from_the_market_alone(acts: Acts, market: Market) -> None:
    (_, pair), (_, other) = [await newcomer(market, name) for name in ("sela", "bora")]
    product = await acts.product(await acts.member())
    path, words = f"/products/{product.id}", "상품을 등록했어요."
    async with browsing(market, pair) as browser:
        session = (
            await market.members.authenticate_cookie(market.members.session_cookie(pair).token)
        ).session_id
        bearer, shop = f"session {session}", market.shop
        mine = shop.flash(bearer, path, "listed", "").value
        theirs = (
            await market.members.authenticate_cookie(market.members.session_cookie(other).token)
        ).session_id
        assert mine is not None
        for cookie in (
            *("", ".", "x", mine[:-1], mine[1:], "a" + mine, mine.upper(), "%00"),
            shop.flash(bearer, path, "edited", "").value,
            shop.flash(bearer, "/", "listed", "").value,
            shop.flash(f"session {theirs}", path, "listed", "").value,
        ):
            browser.keep(shop.named("flash"), cookie or "")
            assert words not in await browser.open(f"{path}?say=listed"), cookie
        browser.keep(shop.named("flash"), mine)
        assert words in await browser.open(f"{path}?say=listed")


async def test_the_fee_is_what_a_confirmation_books(
    acts: Acts, market: Market, db: Database
) -> None:
    (seller, sells), (buyer, _) = [await newcomer(market, name) for name in ("sela", "bora")]
    _, operates = await newcomer(market, "operator")
    await market.members.set_operator("operator@example.com", "the tests", "to try", operator=True)
    trades = []
    for _ in range(2):
        product = await acts.product(seller, price=10_000)
        trade = await market.trades.buy(product.id, buyer)
        trades.append((trade, await acts.pay(trade)))
        await market.refunds.cancel(trades[-1][1], seller.id, 5_000, "a scratch", None)
    (kept, payment), (dead, dead_payment) = trades
    await market.refunds.cancel_purchase(dead.id, buyer.id, "why")
    async with browsing(market, sells) as browser, browsing(market, operates) as console:
        for step in (None, market.trades.approve, market.trades.confirm):
            if step is not None:
                await step(kept.id, seller.id if step == market.trades.approve else buyer.id)
            assert "수수료 175원" in await browser.open(f"/trades/{kept.id}")
            assert "수수료 175원" in await console.open(f"/console/payments/{payment}")
        assert "수수료" not in await browser.open(f"/trades/{dead.id}")
        assert "수수료" not in await console.open(f"/console/payments/{dead_payment}")
    assert await db.fetch_value("SELECT amount FROM transfers WHERE kind = 'FEE'") == 175


async def test_a_payment_that_came_too_late_is_told_as_such(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, _), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.payment(trade)
    async with browsing(market, buys) as browser:
        await browser.open(f"/trades/{trade.id}/checkout")
        form = browser.page
        await market.refunds.cancel_purchase(trade.id, buyer.id, "changed my mind")
        gateway.pay(payment.id, 1000)
        for _ in range(2):  # while it waits to go back, and when it is back
            browser.page = form
            answer = await browser.send(f"/payments/{payment.id}/complete")
            told = await browser.open(answer.headers["location"])
            assert "거래가 끝난 뒤에 결제됐어요. 결제하신" in told
            assert "감사합니다" not in told
            await market.sweep.cancellations()


async def test_money_that_is_not_what_was_asked_for_is_no_thank_you(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, _), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 999)
    async with browsing(market, buys) as browser:
        await browser.open(f"/trades/{trade.id}/checkout")
        answer = await browser.send(f"/payments/{payment.id}/complete")
        told = await browser.open(answer.headers["location"])
        for words in ("결제 내용이 거래와 달라", "결제가 승인되지 않았어요", "다시 결제하기"):
            assert words in told, words


async def test_a_wrong_deposit_is_not_asked_for_again_into_a_dead_account(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    product = await acts.product(seller, price=10_000)
    trade = await market.trades.buy(product.id, buyer)
    payment = await market.payments.start(trade.id, buyer.id, DEPOSIT)
    assert payment.account is not None
    number, page = payment.account.number, f"/trades/{trade.id}"
    async with browsing(market, buys) as browser, browsing(market, sells) as other:
        assert number in await browser.open(page)
        gateway.pay(payment.id, 9_000)
        await market.payments.synchronize(payment.id)
        told = await browser.open(page)
        for words in ("승인되지 않았어요", "금액이 달랐어요", "전액 환불돼요", "다시 결제하기"):
            assert words in told, words
        assert "환불 계좌 입력하기" in told
        assert number not in browser.page
        await browser.open(f"{page}/refund-account")
        assert (await browser.send(f"{page}/refund-account", **ACCOUNT)).status_code == 303
        told = await browser.open(page)
        assert "전액 환불됐어요" in told
        assert "9,000원" in told
        assert number not in browser.page
        assert "9,000원" not in await other.open(page)
        # And the way on does lead on.
        assert "결제하기" in await browser.open(f"{page}/checkout")
        answer = await browser.send(f"{page}/checkout", method="VIRTUAL_ACCOUNT", bank="KAKAO")
        assert answer.headers["location"] == page
        assert "가상계좌로 입금해 주세요" in await browser.open(page)


async def test_a_declined_cards_reason_is_told_to_its_holder_alone(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    trade = await market.trades.buy((await acts.product(seller)).id, buyer)
    payment = await acts.payment(trade)
    gateway.fail(payment.id, "잔액이 부족해요 <b>")
    async with browsing(market, buys) as browser, browsing(market, sells) as other:
        await browser.open(f"/trades/{trade.id}/checkout")
        answer = await browser.send(f"/payments/{payment.id}/complete")
        told = await browser.open(answer.headers["location"])
        assert "결제되지 않았어요" in told
        assert "잔액이 부족해요" in told
        assert "<b> " not in browser.page
        assert "잔액이 부족해요" in await browser.open(f"/trades/{trade.id}/checkout")
        assert "잔액이 부족해요" not in await other.open(f"/trades/{trade.id}")
    _, receipt = await market.trades.see(trade.id, seller.id)
    assert receipt is not None
    assert receipt.failure is None


async def test_a_hold_that_ran_out_offers_nothing_to_pay(
    acts: Acts, market: Market, clock: MovableClock, gateway: MemoryGateway
) -> None:
    """Though no worker has ended it yet."""
    (seller, _), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    card, deposit = [
        await market.trades.buy((await acts.product(seller)).id, buyer) for _ in range(2)
    ]
    await market.payments.start(deposit.id, buyer.id, DEPOSIT)
    async with browsing(market, buys) as browser:
        await browser.open(f"/trades/{card.id}/checkout")
        assert "hidden" in over(browser.page)
        answer = await browser.send(f"/trades/{card.id}/checkout", method="CARD")
        window = answer.headers["location"]
        await browser.open(window)
        assert "hidden" in over(browser.page)
        await browser.open(f"/trades/{card.id}/checkout")
        clock.move(minutes=11)
        answer = await browser.send(f"/trades/{card.id}/checkout", method="CARD")
        assert answer.headers["location"] == f"/trades/{card.id}"
        clock.move(hours=24)
        buys = await again(market, buyer)
    async with browsing(market, buys) as browser:
        for path in (
            f"/trades/{card.id}",
            f"/trades/{card.id}/checkout",
            f"/trades/{deposit.id}",
        ):
            await browser.open(path)
            assert "hidden" not in over(browser.page), path
            assert re.findall(r'data-until="[^"]*" hidden', browser.page), path
        assert await browser.status(window) == 303


async def test_a_trade_that_was_called_off_opens_no_window(acts: Acts, market: Market) -> None:
    buyer, buys = await newcomer(market, "bora")
    trade = await market.trades.buy((await acts.product(await acts.member())).id, buyer)
    payment = await acts.payment(trade)
    async with browsing(market, buys) as browser:
        assert await browser.status(f"/payments/{payment.id}/window") == 200
        await market.refunds.cancel_purchase(trade.id, buyer.id, "changed my mind")
        assert await browser.status(f"/payments/{payment.id}/window") == 303


def over(page: str) -> str:
    """The tag of what stands there once the time is over."""
    (tag,) = re.findall(r'<div class="over"[^>]*>', page)
    return str(tag)


async def test_a_unit_that_is_merely_held_is_not_called_sold(acts: Acts, market: Market) -> None:
    seller, (_, buys) = await acts.member(), await newcomer(market, "bora")
    product = await acts.product(seller)
    path = f"/products/{product.id}"
    async with browsing(market, buys) as browser:
        await browser.open(path)
        form = browser.page
        trade = await market.trades.buy(product.id, await acts.member())
        answer = await browser.send(f"{path}/buy")
        told = await browser.open(answer.headers["location"])
        assert "예약이 취소되면 다시 살 수 있어요" in told
        assert "팔렸어요" not in told
        await acts.pay(trade)
        await market.trades.approve(trade.id, seller.id)
        await market.trades.confirm(trade.id, trade.buyer.id)
        browser.page = form
        answer = await browser.send(f"{path}/buy")
        assert "모두 팔렸어요" in await browser.open(answer.headers["location"])


@pytest.mark.parametrize(("tab", "side"), [("purchases", "buyer"), ("sales", "seller")])
async def test_all_of_ones_trades_are_all_of_them(
    acts: Acts, market: Market, tab: str, side: str
) -> None:
    pairs = {name: await newcomer(market, name) for name in ("seller", "buyer")}
    product = await acts.product(pairs["seller"][0])
    trade = await market.trades.buy(product.id, pairs["buyer"][0])
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    async with browsing(market, pairs[side][1]) as browser:
        assert "거래 취소" in (await browser.open(f"/me/{tab}")).partition("전체")[2]
        assert f"/trades/{trade.id}" in browser.page


async def test_a_sellers_product_page_leads_to_every_trade_of_it(
    acts: Acts, market: Market, db: Database
) -> None:
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    product = await acts.product(seller, quantity=300)
    trade = await market.trades.buy(product.id, buyer)
    await acts.pay(trade)
    await many_trades(db, product.id, live=204, cancelled=1)
    found: list[str] = []
    async with browsing(market, sells) as browser:
        path: str | None = f"/products/{product.id}"
        while path:
            await browser.open(path)
            found += re.findall(r'href="/trades/(\w+)"', browser.page)
            more = re.search(r'href="([^"]*cursor=[^"]*)#deals"', browser.page)
            path = more and more[1]
    assert found[0] == trade.id
    assert len(set(found)) == len(found) == 206
    async with browsing(market, buys) as browser:  # wherever they stand in the list
        for path in (f"/products/{product.id}", f"/products/{product.id}?cursor=2-{trade.id}"):
            assert "내 거래 보기" in await browser.open(path)
