"""A look that brings no news hinders nobody; one that does is applied under the locks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from market.app import Market
from market.payments.domain import Payment, Status
from market.payments.ports import Hint
from market.payments.sweep import AT_ONCE
from market.shared.errors import MarketError
from market.trades.domain import Status as TradeStatus
from market.trades.domain import Trade
from tests.support.acts import ACCOUNT, Acts
from tests.support.barrier import holding
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

# Beyond the server's own limit on a wait for a lock: that must not be what ends it.
PATIENCE_S = 20
LOOKS = 8

Begun = tuple[Trade, Payment]


async def nothing_paid(acts: Acts) -> Begun:
    trade = await acts.trade()
    return trade, await acts.payment(trade)


async def paid(acts: Acts) -> Begun:
    trade, payment = await nothing_paid(acts)
    acts.gateway.pay(payment.id, payment.amount.amount)
    return trade, await acts.market.payments.complete(payment.id, payment.payer)


async def declined(acts: Acts) -> Begun:
    trade, payment = await nothing_paid(acts)
    acts.gateway.fail(payment.id)
    return trade, await acts.market.payments.complete(payment.id, payment.payer)


async def awaiting_a_deposit(acts: Acts) -> Begun:
    trade = await acts.trade()
    return trade, await acts.market.payments.start(trade.id, trade.buyer.id, ACCOUNT)


async def waiting_for_an_account(acts: Acts) -> Begun:
    trade, payment = await awaiting_a_deposit(acts)
    acts.gateway.pay(payment.id, payment.amount.amount)
    payment = await acts.market.payments.complete(payment.id, payment.payer)
    await acts.market.refunds.cancel_purchase(trade.id, trade.seller.id, "not for sale")
    return trade, payment


async def called_off(acts: Acts) -> Begun:
    trade, payment = await nothing_paid(acts)
    await acts.market.refunds.cancel_purchase(trade.id, trade.buyer.id, "another one")
    return trade, payment


@pytest.mark.parametrize(
    "begin",
    [
        nothing_paid,
        paid,
        declined,
        awaiting_a_deposit,
        waiting_for_an_account,
        called_off,
    ],
)
async def test_a_look_without_news_waits_for_no_row(
    begin: Callable[[Acts], Awaitable[Begun]], acts: Acts, market: Market, dsn: str
) -> None:
    trade, payment = await begin(acts)
    rows = {"products": trade.product_id, "trades": trade.id, "payments": payment.id}
    async with AsyncExitStack() as held:
        for row, id in rows.items():
            await held.enter_async_context(holding(dsn, row, id))
        looked = await asyncio.wait_for(
            market.payments.complete(payment.id, payment.payer), PATIENCE_S
        )
    assert looked == await market.payments.see(payment.id, payment.payer)


@pytest.mark.parametrize("row", ["products", "trades"])
async def test_a_worker_that_looks_for_a_lost_webhook_in_vain_hinders_no_purchase(
    row: str, acts: Acts, market: Market, clock: MovableClock, dsn: str
) -> None:
    trade, payment = await nothing_paid(acts)
    clock.move(minutes=2)
    async with holding(dsn, row, trade.product_id if row == "products" else trade.id):
        assert await asyncio.wait_for(market.sweep.payments(), PATIENCE_S) == 1
    after = await market.payments.see(payment.id, payment.payer)
    assert payment.look_at is not None
    assert after.look_at is not None
    assert after.look_at > clock.now()  # not as soon as its claim is over, but when it is next due


async def test_a_hint_without_news_is_handled(acts: Acts, market: Market) -> None:
    _, payment = await nothing_paid(acts)
    await market.inbox.add("V1", payment.id, {"merchant_uid": payment.id})
    [hint] = await market.inbox.waiting(AT_ONCE)
    await market.payments.synchronize(payment.id, hint)
    assert await market.db.fetch_value("SELECT handled_at IS NOT NULL FROM webhooks")
    assert isinstance(hint, Hint)


@pytest.mark.parametrize("news", ["paid", "declined", "returned", "beside"])
async def test_news_waits_for_the_product(
    news: str, acts: Acts, market: Market, gateway: MemoryGateway, dsn: str
) -> None:
    trade, payment = await (paid if news in {"returned", "beside"} else nothing_paid)(acts)
    match news:
        case "paid":
            gateway.pay(payment.id, payment.amount.amount)
        case "declined":
            gateway.fail(payment.id)
        case "returned":
            gateway.give_back(payment.id, 100)
        case "beside":
            gateway.pay_beside(payment.id, "another window", payment.amount.amount)
    async with holding(dsn, "products", trade.product_id) as held:
        looking = asyncio.create_task(market.payments.complete(payment.id, payment.payer))
        await held.until_waiting(1)
    await looking


async def test_what_a_record_shows_for_the_first_time_is_told_though_nothing_moves(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    _, payment = await paid(acts)
    gateway.deposit_again(payment.id)
    for _ in range(3):
        await market.payments.complete(payment.id, payment.payer)
    told = await market.db.fetch(
        "SELECT deposited FROM payment_events WHERE what = 'LOOKED' ORDER BY id"
    )
    assert [row["deposited"] for row in told] == [None, 2 * payment.amount.amount]


async def test_a_refund_that_ended_behind_our_back_is_settled_by_any_look(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment = await waiting_for_an_account(acts)
    gateway.give_back(payment.id, payment.amount.amount)
    after = await market.payments.complete(payment.id, payment.payer)
    assert after.status is Status.CANCELLED
    assert (await acts.now(trade)).status is TradeStatus.CANCELLED
    assert not await market.refunds.is_under_way(payment.id)


async def test_looks_at_once_with_and_without_news_agree(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment = await nothing_paid(acts)

    seen = 0

    async def pay_in_between() -> None:
        nonlocal seen
        seen += 1
        if seen == LOOKS // 2:  # the first ones have seen nothing, the last ones will
            gateway.pay(payment.id, payment.amount.amount)

    gateway.before_answer = pay_in_between
    looks = [market.payments.complete(payment.id, payment.payer) for _ in range(LOOKS)]
    answers = await asyncio.gather(*looks, return_exceptions=True)
    assert not [answer for answer in answers if isinstance(answer, MarketError)]
    assert (await market.payments.see(payment.id, payment.payer)).status is Status.PAID
    assert (await acts.now(trade)).status is TradeStatus.PAID
