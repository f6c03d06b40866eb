"""What `market reconcile` looks at (P10): all that is open, once, and no longer than it takes."""

from market.app import Market
from market.kit.vault import Vault
from market.payments.sql import SqlPayments
from market.trades.domain import Status
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway


async def test_reconciling_looks_at_all_that_is_open(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.pay((await acts.payment(trade)).id, 1000)
    assert await market.sweep.reconcile() == (1, 1)
    assert (await acts.now(trade)).status is Status.PAID
    # And at money whose trade goes on, as long as it may still go back behind our back.
    assert await market.sweep.reconcile() == (1, 1)
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    assert await market.sweep.reconcile() == (0, 0)


async def test_reconciling_finds_each_once_page_by_page(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    """Two of each kind, and one that is of more than one."""
    for _ in range(2):
        await acts.payment(await acts.trade())  # not paid yet
        await acts.paid_trade()  # its money is with us
        trade, _ = await acts.paid_trade()
        gateway.dead = True  # so all of its money is on its way back
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
        gateway.dead = False
    trade, payment_id = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None)
    pages = [ids async for ids in SqlPayments(market.db, Vault(["k"])).open_ids(2)]
    found = [id for ids in pages for id in ids]
    asked = await market.db.fetch("SELECT id FROM payments ORDER BY id")
    assert sorted(found) == [row["id"] for row in asked]
    assert max(len(ids) for ids in pages) == 2
    assert await market.sweep.reconcile() == (0, len(found))


async def test_reconciling_finds_a_second_payment_that_is_to_go_back(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    first = await acts.payment(trade)
    gateway.fail(first.id)
    await market.payments.synchronize(first.id)
    second = await acts.pay(trade)
    gateway.refuse = "not now"
    gateway.pay(first.id, 1000)
    await market.payments.synchronize(first.id)
    assert (await acts.now(trade)).payment_id == second
    for _ in range(2):  # however often the gateway says no
        clock.move(days=1)
        await market.sweep.cancellations()
        assert await market.sweep.reconcile() == (2, 2)


async def test_reconciling_has_an_end_though_trading_goes_on(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    await acts.payment(await acts.trade())
    pages = 0
    async for _ in SqlPayments(market.db, Vault(["k"])).open_ids(1):
        pages += 1
        assert pages < 3
        await acts.payment(await acts.trade())
    assert pages == 1
