"""Buying, approving and confirming through the services, on the real database."""

import asyncio

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.products.domain import Change, OwnProduct, ProductStatus, SoldOut
from market.products.ports import Search
from market.shared.errors import InvalidTransition, NotFound
from market.shared.ids import ProductId, TradeId
from market.shared.pagination import PageRequest
from market.shared.principals import Party
from market.trades.domain import AlreadyBought, Status
from tests.support.acts import Acts

ALL = PageRequest(100)


async def test_buying_takes_a_unit_at_the_price_of_the_moment(acts: Acts, market: Market) -> None:
    trade = await acts.trade(quantity=2)
    await market.products.change(trade.product_id, trade.seller.id, Change(price=5, name="x"))
    mine = await market.trades.purchases(trade.buyer.id, None, ALL)
    assert [(t.price.amount, t.product_name) for t in mine.items] == [(1000, "chair")]
    assert await acts.remaining(trade) == 1


async def test_the_last_unit_is_sold_once_and_to_its_buyer_it_says_why(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade()
    with pytest.raises(SoldOut):
        await market.trades.buy(trade.product_id, await acts.member())
    with pytest.raises(AlreadyBought):
        await market.trades.buy(trade.product_id, trade.buyer)


async def test_one_buyer_gets_one_unit_though_more_are_left(acts: Acts, market: Market) -> None:
    trade = await acts.trade(quantity=5)
    with pytest.raises(AlreadyBought):
        await market.trades.buy(trade.product_id, trade.buyer)
    assert await acts.remaining(trade) == 4


async def test_a_seller_cannot_buy_and_nobody_what_does_not_exist(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade(quantity=2)
    with pytest.raises(OwnProduct):
        await market.trades.buy(trade.product_id, trade.seller)
    with pytest.raises(NotFound):
        await market.trades.buy(ProductId("e" * 32), trade.buyer)
    with pytest.raises(NotFound):
        await market.trades.approve(TradeId("e" * 32), trade.seller.id)


async def test_the_status_goes_from_on_sale_through_reserved_to_completed(
    acts: Acts, market: Market, db: Database
) -> None:
    trade, _ = await acts.paid_trade()

    async def status() -> ProductStatus:
        return (await market.products.get(trade.product_id)).status

    assert await status() is ProductStatus.RESERVED
    await market.trades.approve(trade.id, trade.seller.id)
    confirmed = await market.trades.confirm(trade.id, trade.buyer.id)
    assert confirmed.status is Status.PURCHASE_CONFIRMED
    assert await status() is ProductStatus.COMPLETED
    rows = await db.fetch("SELECT account, balance FROM balances")
    balances = {row["account"]: row["balance"] for row in rows}
    owed = {f"seller:{trade.seller.id}": 965, "fees": 35, "escrow": 0, "gateway": -1000}
    assert balances == owed


async def test_what_is_not_paid_cannot_be_approved_nor_confirmed_before(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade()
    with pytest.raises(InvalidTransition):
        await market.trades.approve(trade.id, trade.seller.id)
    with pytest.raises(InvalidTransition):
        await market.trades.confirm(trade.id, trade.buyer.id)


async def test_a_second_confirm_changes_nothing(acts: Acts, market: Market, db: Database) -> None:
    trade, _ = await acts.paid_trade(quantity=2)
    await market.trades.approve(trade.id, trade.seller.id)
    outcomes = await asyncio.gather(
        *(market.trades.confirm(trade.id, trade.buyer.id) for _ in range(5)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, InvalidTransition)]
    assert len(refused) == 4, outcomes
    assert await db.fetch_value("SELECT confirmed FROM products") == 1


async def test_lists_hold_what_belongs_in_them(acts: Acts, market: Market) -> None:
    running = await acts.trade()
    done, _ = await acts.paid_trade()
    await market.trades.approve(done.id, done.seller.id)
    await market.trades.confirm(done.id, done.buyer.id)
    dead = await acts.trade()
    await market.refunds.cancel_purchase(dead.id, dead.buyer.id, "why")

    service = market.trades
    for trade, bought, reserved in ((running, 1, 1), (done, 1, 0), (dead, 0, 0)):
        assert len((await service.purchases(trade.buyer.id, None, ALL)).items) == bought
        assert len((await service.sales(trade.seller.id, None, ALL)).items) == bought
        for member, side in ((trade.buyer.id, Party.BUYER), (trade.seller.id, Party.SELLER)):
            for asked in (side, None):
                page = await service.reservations(member, asked, ALL)
                assert len(page.items) == reserved
    cancelled = await service.purchases(dead.buyer.id, Status.CANCELLED, ALL)
    assert [trade.id for trade in cancelled.items] == [dead.id]
    other_side = await service.reservations(running.buyer.id, Party.SELLER, ALL)
    assert other_side.items == []


async def test_a_products_page_shows_members_their_own_trades_alone(
    acts: Acts, market: Market
) -> None:
    first = await acts.trade(quantity=3)
    second = await market.trades.buy(first.product_id, await acts.member())
    stranger = await acts.member()
    shown = {}
    for member in (first.buyer.id, second.buyer.id, first.seller.id, stranger.id):
        page = await market.trades.deals(first.product_id, member, ALL)
        shown[member] = {deal.id for deal in page.items}
    assert shown == {
        first.buyer.id: {first.id},
        second.buyer.id: {second.id},
        first.seller.id: {first.id, second.id},
        stranger.id: set(),
    }


async def test_pages_follow_each_other_without_gap_or_overlap(acts: Acts, market: Market) -> None:
    seller = await acts.member()
    made = [(await acts.product(seller)).id for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = await market.products.page(Search(seller_id=seller.id), PageRequest(2, cursor))
        seen += [product.id for product in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]
