"""Operators: any money may go back at their word, with a reason, and every act is kept (P8)."""

import pytest

from market.app import Market
from market.payments.domain import Means, Method
from market.payments.domain import Status as Paid
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import InvalidTransition, NotFound
from market.shared.principals import MemberSummary, Party
from market.trades.domain import Status
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

THEIRS = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")


@pytest.fixture
async def operator(acts: Acts) -> MemberSummary:
    return await acts.member()


async def noted(market: Market) -> list[tuple[str, str, str]]:
    return [(act.actor, act.act, act.reason) for act in await market.audit.list(None, 10)]


async def kinds(market: Market) -> list[str]:
    return [incident.kind async for incident in market.operators.incidents()]


async def test_an_operator_calls_off_what_the_buyer_no_longer_may(
    acts: Acts, market: Market, operator: MemberSummary
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    with pytest.raises(InvalidTransition):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    under_way = await market.refunds.cancel_purchase(
        trade.id, operator.id, "never sent", operator=True
    )
    assert not under_way
    dead = await acts.now(trade)
    assert dead.status is Status.CANCELLED
    assert dead.cancelling is not None
    assert (dead.cancelling.by, dead.cancelling.reason) == (Party.OPERATOR, "never sent")
    payment = await market.payments.see(payment_id, operator.id, operator=True)
    assert payment.status is Paid.CANCELLED
    assert await noted(market) == [(operator.id, "cancel", "never sent")]


@pytest.mark.parametrize("amount", [None, 400])
async def test_money_of_a_confirmed_sale_goes_back_as_a_claim_and_the_sale_stands(
    acts: Acts, market: Market, operator: MemberSummary, amount: int | None
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    payment = await market.refunds.cancel(
        payment_id, operator.id, amount, "it was broken", None, operator=True
    )
    assert payment.cancelled == (amount or 1000)
    assert (await acts.now(trade)).status is Status.PURCHASE_CONFIRMED
    balances = {one.account: one.amount for one in await market.ledger.balances()}
    assert (balances["claims"], balances["escrow"]) == (-payment.cancelled, 0)
    assert await kinds(market) == ["returned_after_settlement"]


async def test_an_act_without_effect_is_not_noted(
    acts: Acts, market: Market, operator: MemberSummary
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    await market.refunds.cancel(payment_id, operator.id, None, "why", None, operator=True)
    before = await noted(market)
    with pytest.raises(InvalidTransition):
        await market.refunds.cancel(payment_id, operator.id, None, "again", None, operator=True)
    assert await noted(market) == before


async def test_in_their_own_trades_operators_are_members_like_all_others(
    acts: Acts, market: Market
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    with pytest.raises(InvalidTransition):
        await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None, operator=True)
    assert await noted(market) == []


async def test_an_operator_names_the_account_that_the_buyer_told_them(
    acts: Acts, market: Market, gateway: MemoryGateway, operator: MemberSummary
) -> None:
    trade = await acts.trade()
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
    payment = await market.payments.start(trade.id, trade.buyer.id, means)
    gateway.pay(payment.id, 999)  # not what was asked for: it is to go back, to nobody knows where
    await market.payments.synchronize(payment.id)
    after = await market.refunds.cancel(
        payment.id, operator.id, None, "told by telephone", THEIRS, operator=True
    )
    assert (after.status, gateway.sent_to) == (Paid.CANCELLED, [THEIRS])
    (act,) = await market.audit.list(None, 10)
    assert THEIRS.number not in repr(act)


async def test_only_who_is_an_operator_sees_and_cancels_what_is_not_theirs(
    acts: Acts, market: Market, operator: MemberSummary
) -> None:
    trade, payment_id = await acts.paid_trade()
    for refused in (
        market.trades.see(trade.id, operator.id),
        market.payments.see(payment_id, operator.id),
        market.refunds.cancel_purchase(trade.id, operator.id, "why"),
        market.refunds.cancel(payment_id, operator.id, 400, "why", None),
    ):
        with pytest.raises(NotFound):
            await refused
    assert (await market.trades.see(trade.id, operator.id, operator=True))[0].id == trade.id


async def test_a_bank_that_lets_a_second_deposit_through_is_an_incident(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    _, payment_id = await acts.paid_trade()
    gateway.deposit_again(payment_id)
    for _ in range(2):
        await market.payments.synchronize(payment_id)
    (found,) = [incident async for incident in market.operators.incidents()]
    assert (found.kind, found.seen) == ("deposited_twice", {"total": 2000})
