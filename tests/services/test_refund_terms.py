"""Refunds within their terms: a request is answered truly, and once; parts are few and not tiny."""

import asyncio
from dataclasses import replace

import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.payments.cancellation import (
    AlreadyAsked,
    RefundRefused,
    RefundTooSmall,
    TooManyRefunds,
)
from market.payments.ports import Gateways
from market.settings import Settings
from market.shared.ids import CancellationId
from market.trades.domain import Status
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway


def new_request() -> CancellationId:
    return CancellationId(TimeOrderedIds().new())


# ── one request, once ──


@pytest.mark.parametrize("amount", [300, 1000, None])
async def test_another_refund_under_the_same_request_is_refused(
    acts: Acts, market: Market, gateway: MemoryGateway, amount: int | None
) -> None:
    trade, payment_id = await acts.paid_trade()
    request = new_request()
    await market.refunds.cancel(payment_id, trade.buyer.id, 400, "a scratch", None, request)
    with pytest.raises(AlreadyAsked) as refused:
        await market.refunds.cancel(payment_id, trade.buyer.id, amount, "more", None, request)
    assert refused.value.context["amount"] == 400
    assert gateway.cancels == [(payment_id, 400)]


async def test_a_part_under_a_request_for_all_is_refused(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    request = new_request()
    await market.refunds.cancel(payment_id, trade.buyer.id, None, "why", None, request)
    with pytest.raises(AlreadyAsked):
        await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None, request)
    assert gateway.cancels == [(payment_id, 1000)]


async def test_a_request_of_another_payment_is_refused(acts: Acts, market: Market) -> None:
    (first, one), (second, two) = await acts.paid_trade(), await acts.paid_trade()
    request = new_request()
    await market.refunds.cancel(one, first.buyer.id, 400, "why", None, request)
    for amount in (400, None):
        with pytest.raises(AlreadyAsked):
            await market.refunds.cancel(two, second.buyer.id, amount, "why", None, request)
    assert not (await acts.now(second)).is_busy


async def test_a_request_that_comes_again_when_its_key_is_forgotten_is_no_silent_yes(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    request = new_request()
    for hours in (0, 23):
        clock.move(hours=hours)
        await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None, request)
    clock.move(hours=2)
    with pytest.raises(AlreadyAsked):
        await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None, request)
    assert gateway.cancels == [(payment_id, 400)]


@pytest.mark.parametrize("amount", [400, None])
@pytest.mark.parametrize("confirmed", [False, True])
async def test_of_two_clicks_at_once_both_get_the_same_answer(
    acts: Acts, market: Market, gateway: MemoryGateway, amount: int | None, confirmed: bool
) -> None:
    trade, payment_id = await acts.paid_trade()
    if confirmed:
        await market.trades.approve(trade.id, trade.seller.id)
        await market.trades.confirm(trade.id, trade.buyer.id)
    operator, request = await acts.member(), new_request()
    clicks = [
        market.refunds.cancel(
            payment_id, operator.id, amount, "it broke", None, request, operator=True
        )
        for _ in range(4)
    ]
    answers = await asyncio.gather(*clicks, return_exceptions=True)
    assert [one for one in answers if isinstance(one, BaseException)] == []
    assert gateway.cancels == [(payment_id, amount or 1000)]
    assert len(await market.audit.list(None, 10)) == 1


# ── the gateway's no is told ──


@pytest.mark.parametrize("amount", [400, None])
async def test_a_refund_that_the_gateway_refused_is_told_as_refused(
    acts: Acts, market: Market, gateway: MemoryGateway, amount: int | None
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.refuse = "the contract does not allow it"
    request = new_request()
    for _ in range(2):  # the repeat of a request too
        with pytest.raises(RefundRefused, match="the contract does not allow it") as refused:
            await market.refunds.cancel(payment_id, trade.buyer.id, amount, "why", None, request)
        assert refused.value.context["reason"] == "the contract does not allow it"
    after = await acts.now(trade)
    assert (after.status, after.is_busy) == (Status.PAID, False)


async def test_a_trade_whose_refund_was_refused_is_not_told_to_be_called_off(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, _ = await acts.paid_trade()
    gateway.refuse = "not today"
    for party in (trade.buyer, trade.seller):
        with pytest.raises(RefundRefused, match="not today"):
            await market.refunds.cancel_purchase(trade.id, party.id, "why")
    gateway.refuse = None
    assert not await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert (await acts.now(trade)).status is Status.CANCELLED


# ── parts are few, and not tiny ──


async def test_neither_party_can_use_up_what_the_gateway_allows(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.most_cancels = 5
    members = [trade.seller, trade.buyer, trade.seller]
    for member in members:
        await market.refunds.cancel(payment_id, member.id, 100, "a scratch", None)
    for member in (trade.buyer, trade.seller):
        with pytest.raises(TooManyRefunds):
            await market.refunds.cancel(payment_id, member.id, 100, "a scratch", None)
    # One more is an operator's to send; and the last one is kept for the whole.
    operator = (await acts.member()).id
    await market.refunds.cancel(payment_id, operator, 100, "they agreed", None, operator=True)
    with pytest.raises(TooManyRefunds):
        await market.refunds.cancel(payment_id, operator, 100, "more", None, operator=True)
    assert not await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "no, thanks")
    assert gateway.cancels == [(payment_id, 100)] * 4 + [(payment_id, 600)]
    assert (await acts.now(trade)).status is Status.CANCELLED


@pytest.mark.parametrize("price", [1, 99, 1_000, 10_000, 10_001, 1_000_000])
async def test_a_members_part_is_worth_its_way(acts: Acts, market: Market, price: int) -> None:
    product = await acts.product(await acts.member(), price=price)
    trade = await market.trades.buy(product.id, await acts.member())
    payment_id = await acts.pay(trade)
    least = max(100, -(-price // 100))
    for amount in {1, least - 1} - {price}:
        if amount < price:
            with pytest.raises(RefundTooSmall) as refused:
                await market.refunds.cancel(payment_id, trade.buyer.id, amount, "why", None)
            assert refused.value.context["least"] == least
    assert not (await acts.now(trade)).is_busy
    operator = (await acts.member()).id
    if price > 1:  # who decides for others may have to be exact
        await market.refunds.cancel(payment_id, operator, 1, "so agreed", None, operator=True)
    left = min(least, price - 1) or price
    await market.refunds.cancel(payment_id, trade.buyer.id, left, "why", None)


async def test_what_the_gateway_refused_counts_for_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.refuse = "not today"
    for _ in range(4):
        with pytest.raises(RefundRefused):
            await market.refunds.cancel(payment_id, trade.buyer.id, 100, "why", None)
    gateway.refuse = None
    for _ in range(3):
        await market.refunds.cancel(payment_id, trade.buyer.id, 100, "why", None)


async def test_where_the_gateway_lets_a_payment_be_cancelled_once_no_part_goes_back(
    acts: Acts, market: Market, settings: Settings, gateway: MemoryGateway, clock: MovableClock
) -> None:
    strict = assemble(
        replace(settings, refunds_per_payment=1),
        market.db,
        Gateways(gateway),
        clock,
        TimeOrderedIds(),
    )
    trade, payment_id = await acts.paid_trade()
    with pytest.raises(TooManyRefunds):
        await strict.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None)
    await strict.refunds.cancel(payment_id, trade.buyer.id, 1000, "all of it", None)
    assert gateway.cancels == [(payment_id, 1000)]
