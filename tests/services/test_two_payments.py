"""Two attempts at one trade, of which both get paid: each payment is its own, and what becomes of
one says nothing of the other."""

import pytest

from market.app import Market
from market.payments.domain import Means, Method, Payment
from market.payments.domain import Status as Paid
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import InvalidTransition
from market.trades.domain import Status, Trade
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway, nothing, unanswered

ACCOUNT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
MINE = RefundAccount(Bank.KOOKMIN, "1234567890", "the buyer")


@pytest.fixture
async def both(acts: Acts, market: Market, gateway: MemoryGateway) -> tuple[Trade, Payment]:
    """A trade that a card has paid, and the account that was begun before, into which the buyer has
    put the money as well."""
    trade = await acts.trade()
    account = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    await acts.pay(trade)
    gateway.pay(account.id, 1000)
    await market.payments.synchronize(account.id)
    return await acts.now(trade), account


async def test_who_asks_for_one_back_does_not_get_the_other(
    both: tuple[Trade, Payment], acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, account = both
    buyer = trade.buyer.id
    back = await market.refunds.cancel(account.id, buyer, None, "twice", MINE)
    assert back.status is Paid.CANCELLED
    for amount in (None, 400):
        with pytest.raises(InvalidTransition):
            await market.refunds.cancel(account.id, buyer, amount, "again", MINE)
    assert gateway.cancels == [(account.id, 1000)]
    assert (await acts.now(trade)).status is Status.PAID


async def test_while_a_part_is_on_its_way_the_other_s_refund_lets_nothing_go_on(
    both: tuple[Trade, Payment], acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, account = both
    assert trade.payment_id is not None
    gateway.before_cancel = unanswered
    await market.refunds.cancel(trade.payment_id, trade.buyer.id, 400, "a scratch", None)
    gateway.before_cancel = nothing
    await market.refunds.send_to(account.id, trade.buyer.id, MINE)
    assert gateway.cancels == [(account.id, 1000)]
    assert (await acts.now(trade)).refunding
    with pytest.raises(InvalidTransition):
        await market.trades.approve(trade.id, trade.seller.id)


async def test_the_trade_shows_the_payment_that_paid_it_and_its_other_attempt_is_over(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    account = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    card = await acts.payment(trade)
    gateway.pay(account.id, 1000)  # the bank was asked to close it, and had not done so
    await market.payments.synchronize(account.id)
    _, receipt = await market.trades.see(trade.id, trade.buyer.id)
    assert receipt is not None
    assert (receipt.id, receipt.status) == (account.id, Paid.PAID)
    assert (await market.payments.see(card.id, trade.buyer.id)).status is Paid.EXPIRED


async def test_a_card_that_pays_after_all_has_the_account_closed(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    card = await acts.payment(trade)
    account = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.pay(card.id, 1000)
    await market.payments.synchronize(card.id)
    assert gateway.closed == [account.id]
    assert (await market.payments.see(account.id, trade.buyer.id)).status is Paid.EXPIRED
