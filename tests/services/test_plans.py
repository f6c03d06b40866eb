"""Nothing that a request asks for reads a whole table, however short it was when that was planned.

A plan lives as long as its connection: one that reads a short table from end to end goes on doing
so when a rush has filled it.
"""

from collections.abc import AsyncIterator

import pytest

from market.app import Market, assemble
from market.kit.db import Database
from market.kit.system import TimeOrderedIds
from market.payments.domain import Means, Method
from market.payments.ports import Gateways
from market.products.ports import Search
from market.settings import Settings
from market.shared.page import Slice
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

# What grows with the market. The rest is a handful of rows for ever.
GROWING = """
    SELECT relname, seq_scan FROM pg_stat_user_tables
    WHERE relname NOT IN ('alembic_version', 'pgqueuer', 'pgqueuer_log', 'pgqueuer_schedules')
"""


@pytest.fixture
async def alone(dsn: str) -> AsyncIterator[Database]:
    """One connection, which therefore plans each statement but once."""
    db = await Database.connect(dsn, size=1, name="test")
    yield db
    await db.close()


async def reads_of_whole_tables(db: Database) -> dict[str, int]:
    await db.value("SELECT pg_stat_force_next_flush()")
    return {row["relname"]: row["seq_scan"] for row in await db.fetch(GROWING)}


async def test_a_whole_sale_on_empty_tables_reads_none_of_them_from_end_to_end(
    alone: Database, settings: Settings, gateway: MemoryGateway, clock: MovableClock
) -> None:
    # What an autovacuum leaves behind: without it, the planner would guess an empty table longer.
    await alone.execute("VACUUM ANALYZE")
    market = assemble(settings, alone, Gateways(gateway), clock, TimeOrderedIds())
    acts = Acts(market, gateway)
    before = await reads_of_whole_tables(alone)
    # PostgreSQL plans a statement anew five times before it keeps a plan.
    for _ in range(7):
        await a_sale(market, acts)
        await a_purchase_called_off(market, acts)
        await a_hold_that_runs_out(market, acts, clock)
    after = await reads_of_whole_tables(alone)
    assert {name: after[name] - before[name] for name in after if after[name] > before[name]} == {}


async def a_sale(market: Market, acts: Acts) -> None:
    trade, _ = await acts.paid_trade(2)
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    await market.trades.deals(trade.product_id, trade.seller.id)
    await market.trades.purchases(trade.buyer.id, None, Slice(20))
    await market.trades.sales(trade.seller.id, None, Slice(20))
    await market.trades.reservations(trade.seller.id, None, Slice(20))
    await market.notices.page(trade.buyer.id, Slice(20))
    for search in (Search(), Search(text="의자"), Search(seller_id=trade.seller.id)):
        await market.products.page(search, Slice(20))


async def a_purchase_called_off(market: Market, acts: Acts) -> None:
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "no", None)


async def a_hold_that_runs_out(market: Market, acts: Acts, clock: MovableClock) -> None:
    trade = await acts.trade()
    await market.payments.start(trade.id, trade.buyer.id, Means(Method.CARD))
    clock.move(hours=1)
    await market.sweep.everything()
    await market.notices.remind()
