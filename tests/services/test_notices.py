"""What members are told, and that it is told once, with what it tells of."""

from datetime import UTC, datetime

import pytest

from market.app import Market
from market.kit.db import Database
from market.payments.domain import Means, Method
from market.shared.banking import Bank
from market.shared.notice import Kind
from market.shared.page import Slice
from market.shared.people import Person
from market.trades.domain import Trade
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway


async def told(market: Market, person: Person) -> list[Kind]:
    """What somebody was told, the latest first."""
    page = await market.notices.page(person.id, Slice(50))
    return [notice.kind for notice in page.items]


async def test_each_step_is_told_to_whom_it_concerns(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    assert await told(market, trade.buyer) == await told(market, trade.seller) == [Kind.PAID]
    await market.trades.approve(trade.id, trade.seller.id)
    assert await told(market, trade.buyer) == [Kind.APPROVED, Kind.PAID]
    await market.trades.confirm(trade.id, trade.buyer.id)
    assert await told(market, trade.seller) == [Kind.CONFIRMED, Kind.PAID]


async def test_looking_again_tells_nothing_again(acts: Acts, market: Market) -> None:
    trade, payment_id = await acts.paid_trade()
    for _ in range(3):
        await market.payments.synchronize(payment_id)
    assert await told(market, trade.buyer) == [Kind.PAID]


async def test_who_calls_it_off_is_told_of_the_money_and_the_other_of_the_end(
    acts: Acts, market: Market
) -> None:
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert await told(market, trade.buyer) == [Kind.REFUNDED, Kind.PAID]
    assert await told(market, trade.seller) == [Kind.CANCELLED, Kind.PAID]


async def test_a_hold_that_ran_out_is_told_to_both(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade = await acts.trade()
    clock.move(hours=1)
    await market.refunds.expire_hold(trade.id)
    assert await told(market, trade.buyer) == await told(market, trade.seller) == [Kind.CANCELLED]


async def deposited(acts: Acts, market: Market, gateway: MemoryGateway) -> Trade:
    trade = await acts.trade()
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.SHINHAN)
    payment = await market.payments.start(trade.id, trade.buyer.id, means)
    gateway.pay(payment.id, payment.amount.amount)
    await market.payments.synchronize(payment.id)
    return await acts.now(trade)


async def test_a_buyer_whose_account_is_needed_is_asked_for_it(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await deposited(acts, market, gateway)
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "broken")
    assert (await told(market, trade.buyer))[0] is Kind.ACCOUNT_NEEDED
    assert Kind.ACCOUNT_NEEDED not in await told(market, trade.seller)


async def test_what_did_not_happen_is_not_told(acts: Acts, market: Market, db: Database) -> None:
    trade, _ = await acts.paid_trade()

    async def approve_and_fail() -> None:
        async with db.transaction():
            await market.trades.approve(trade.id, trade.seller.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await approve_and_fail()
    assert await told(market, trade.buyer) == [Kind.PAID]


async def test_a_buyer_who_forgets_to_confirm_is_asked_once(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade, _ = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    assert await market.notices.remind() == 0
    clock.move(days=4)
    assert [await market.notices.remind() for _ in range(2)] == [1, 0]
    assert (await told(market, trade.buyer))[0] is Kind.CONFIRM_PLEASE


async def test_what_came_meanwhile_stays_unread(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    buyer = trade.buyer
    seen = (await market.notices.page(buyer.id, Slice(1))).items[0]
    await market.trades.approve(trade.id, trade.seller.id)
    await market.notices.mark_read(buyer.id, seen.id)
    page = await market.notices.page(buyer.id, Slice(5))
    assert [notice.read_at is None for notice in page.items] == [True, False]
    assert await market.notices.unread(buyer.id) == 1
    assert await market.notices.unread(trade.seller.id) == 1
    assert seen.created_at <= datetime.now(UTC)
