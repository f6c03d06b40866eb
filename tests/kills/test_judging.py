"""The judge of the rounds sees what is wrong: a round without complaint means something."""

from typing import Any

from market.app import Market
from market.shared.ids import PaymentId
from market.trades.domain import Trade
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

from .crowd import PART, PRICE, Asked, Memory, Told
from .rounds import more_than_was_asked, not_as_told, not_at_an_end


def told(path: str, answer: Any, status: int = 200, body: Any = None) -> Told:
    return Told(Asked("", path, body, "key"), status, answer)


async def paid(acts: Acts) -> tuple[Trade, PaymentId]:
    product = await acts.product(await acts.member(), price=PRICE)
    trade = await acts.market.trades.buy(product.id, await acts.member())
    return trade, await acts.pay(trade)


async def test_a_confirmation_that_was_told_and_is_not_so_is_named(
    acts: Acts, market: Market
) -> None:
    trade, _ = await paid(acts)
    await market.trades.approve(trade.id, trade.seller.id)
    confirmed = told(f"/api/trades/{trade.id}/confirm", {"id": trade.id})
    assert len(await not_as_told(market.db, confirmed)) == 1
    await market.trades.confirm(trade.id, trade.buyer.id)
    assert await not_as_told(market.db, confirmed) == []


async def test_a_purchase_that_was_told_and_is_not_there_is_named(market: Market) -> None:
    bought = told("/api/products/x/trades", {"id": "0" * 32, "price": PRICE}, 201)
    assert len(await not_as_told(market.db, bought)) == 1


async def test_a_no_to_a_repeat_of_what_was_done_is_named(market: Market) -> None:
    refused = told("/api/products/x/trades", {"code": "already_bought"}, 409)
    assert len(await not_as_told(market.db, refused)) == 1


async def test_a_part_that_went_back_twice_is_named(acts: Acts, market: Market) -> None:
    trade, payment = await paid(acts)
    part = {"reason": "a scratch", "amount": PART}
    memory = Memory(told=[told(f"/api/payments/{payment}/cancel", {"id": payment}, 200, part)])
    buyer = trade.buyer.id
    await market.refunds.cancel(payment, buyer, PART, "a scratch", None)
    assert await more_than_was_asked(market.db, memory) == []
    await market.refunds.cancel(payment, buyer, PART, "a scratch", None)
    assert len(await more_than_was_asked(market.db, memory)) == 1


async def test_what_still_waits_is_named(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, _ = await paid(acts)
    assert await not_at_an_end(market.db) == []
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert len(await not_at_an_end(market.db)) == 1
