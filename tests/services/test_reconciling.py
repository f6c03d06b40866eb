"""What `market reconcile` looks at (P10): all that is open, once, and no longer than it takes."""

import pytest

from market.app import Market
from market.kit.security.encryption import Encryptor
from market.payments import sweep
from market.payments.sql import SqlPayments
from market.shared.ids import PaymentId
from market.trades.domain import Status
from tests.support.acts import ACCOUNT, Acts
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
    pages = [ids async for ids in SqlPayments(market.db, Encryptor(["k"])).open_ids(2)]
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
    async for _ in SqlPayments(market.db, Encryptor(["k"])).open_ids(1):
        pages += 1
        assert pages < 3
        await acts.payment(await acts.trade())
    assert pages == 1


async def old_sale(acts: Acts, market: Market, clock: MovableClock) -> PaymentId:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    clock.move(days=400)
    await market.sweep.everything()
    return payment_id


@pytest.mark.parametrize("amount", [1000, 400])
async def test_what_a_console_sends_back_is_found_within_a_day_at_any_age(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, amount: int
) -> None:
    """No webhook comes, and no list shows it."""
    payment_id = await old_sale(acts, market, clock)
    for back in (amount, 1000 - amount):
        if back:
            gateway.give_back(payment_id, back)
            gateway.unlisted.add(payment_id)
            clock.move(days=1)
            await market.sweep.everything()
    assert (await market.payments.synchronize(payment_id)).cancelled == 1000
    found = [one async for one in market.operators.incidents()]
    assert {one.kind for one in found} == {"returned_after_settlement"}
    clock.move(days=1)
    assert await market.sweep.checks() == 0, "nothing is left to look for"


async def test_a_look_that_failed_is_made_up_for_within_the_day(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    payment_id = await old_sale(acts, market, clock)
    gateway.give_back(payment_id, 1000)
    clock.move(hours=20)
    gateway.dead = True
    assert await market.sweep.checks() == 0
    gateway.dead = False
    assert await market.sweep.checks() == 0, "not again at once"
    clock.move(hours=1)
    assert await market.sweep.checks() == 1


async def test_checks_that_fell_behind_catch_up_in_batches(
    acts: Acts, market: Market, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "AT_ONCE", 2)
    monkeypatch.setattr(sweep, "BATCHES", 2)
    for _ in range(5):
        await acts.paid_trade()
    clock.move(days=3)
    assert [await market.sweep.checks() for _ in range(3)] == [4, 1, 0]


async def test_an_account_left_open_is_looked_at_as_long_as_it_is(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    clock.move(days=1)
    gateway.keeps_accounts = True
    for _ in range(9):
        await market.sweep.everything()
        clock.move(days=1)
    assert (await acts.now(trade)).status is Status.CANCELLED
    gateway.pay(payment.id, 1000)
    await market.sweep.everything()
    assert (await acts.now(trade)).status is Status.PAID, "in time for the goods that are there"
