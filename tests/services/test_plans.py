"""Nothing that a request or a worker asks for every day reads a whole table, however short it was
when that was planned.

A plan lives as long as its connection: one that reads a short table from end to end goes on doing
so when a rush has filled it. With sequential scans as the last resort it would go through an index
instead: so what is counted is also what is read of indexes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.payments.domain import Means, Method
from market.payments.ports import Gateways
from market.settings import Settings
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process

SCANS = "SELECT relname, seq_scan AS n FROM pg_stat_user_tables"
ENTRIES = """
    SELECT relname, sum(idx_tup_read)::bigint AS n FROM pg_stat_user_indexes GROUP BY relname
"""
# They hold a handful of rows for ever: the rest grows with the market.
SMALL = {"alembic_version", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules"}


class Counting:
    """What was read since the last time it was asked, by table; of those where it was anything."""

    def __init__(self, db: Database, of: str) -> None:
        self._db, self._of = db, of
        self._before: dict[str, int] = {}

    async def since(self) -> dict[str, int]:
        await self._db.fetch_value("SELECT pg_stat_force_next_flush()")
        told = {row["relname"]: row["n"] for row in await self._db.fetch(self._of)}
        now = {name: n for name, n in told.items() if name not in SMALL}
        read = {name: n - self._before.get(name, 0) for name, n in now.items()}
        self._before = now
        return {name: n for name, n in read.items() if n}


@pytest.fixture
async def alone(dsn: str) -> AsyncIterator[Database]:
    """One connection, which therefore plans each statement but once."""
    db = await Database.connect(dsn, size=1, name="test")
    # What an autovacuum leaves behind: without it, the planner would guess empty tables longer. And
    # the next one comes when a test says so.
    await db.execute("VACUUM ANALYZE")
    for row in await db.fetch(SCANS):
        await db.execute(f"ALTER TABLE {row['relname']} SET (autovacuum_enabled = off)")
    yield db
    await db.close()


@pytest.fixture
def market(
    alone: Database, settings: Settings, gateway: MemoryGateway, clock: MovableClock
) -> Market:
    return assemble(settings, alone, Gateways(gateway), clock, TimeOrderedIds())


@pytest.fixture
def days(
    market: Market, acts: Acts, gateway: MemoryGateway, clock: MovableClock
) -> Callable[[int], Awaitable[None]]:
    """Lives so many days of the market."""

    async def live(count: int) -> None:
        async with in_process(market) as client:
            for _ in range(count):
                await a_sale(client, gateway)
                await a_purchase_called_off(market, acts)
                await a_hold_that_runs_out(market, acts, clock)

    return live


async def test_on_empty_tables_no_plan_reads_one_from_end_to_end(
    alone: Database, days: Callable[[int], Awaitable[None]]
) -> None:
    scans = Counting(alone, SCANS)
    await scans.since()
    await days(7)  # PostgreSQL plans a statement anew five times before it keeps a plan
    assert await scans.since() == {}


@pytest.mark.parametrize("analyzed", [False, True])
async def test_what_a_day_reads_does_not_grow_with_the_tables(
    alone: Database, days: Callable[[int], Awaitable[None]], analyzed: bool
) -> None:
    """Neither before an autovacuum comes, nor by the plans that are made when it has come."""
    entries = Counting(alone, ENTRIES)
    await days(10)  # by then every page is full, and every plan made
    if analyzed:
        await alone.execute("ANALYZE")
        await days(7)
    await entries.since()
    await days(3)
    early = await entries.since()
    await days(20)
    await entries.since()
    await days(3)
    late = await entries.since()
    assert grown(early, late) == {}


@pytest.mark.parametrize("analyzed", [False, True])
async def test_what_reconciling_reads_does_not_grow_with_what_is_done(
    alone: Database,
    days: Callable[[int], Awaitable[None]],
    market: Market,
    acts: Acts,
    analyzed: bool,
) -> None:
    entries = Counting(alone, ENTRIES)

    async def read_after(count: int) -> dict[str, int]:
        await days(count)
        # Of what was unfinished yesterday, an autovacuum leaves nothing in an index.
        await alone.execute("VACUUM ANALYZE" if analyzed else "VACUUM")
        trade, _ = await acts.paid_trade()
        await acts.payment(await acts.trade())
        await entries.since()
        # And two whose hold ran out lately, for which money may still come.
        assert await market.sweep.reconcile() == (4, 4)
        read = await entries.since()
        await market.trades.approve(trade.id, trade.seller.id)
        await market.trades.confirm(trade.id, trade.buyer.id)
        return read

    early = await read_after(5)
    late = await read_after(15)
    assert grown(early, late) == {}


async def test_what_a_daily_check_reads_of_each_payment_does_not_grow(
    alone: Database, days: Callable[[int], Awaitable[None]], market: Market
) -> None:
    """All money that is there is checked every day: more takes more checks, not longer ones."""
    entries = Counting(alone, ENTRIES)

    async def read_after(count: int) -> tuple[int, dict[str, int]]:
        await days(count)
        await entries.since()
        checked = await market.sweep.checks()
        return checked, {name: -(-n // checked) for name, n in (await entries.since()).items()}

    few, early = await read_after(10)
    many, late = await read_after(20)
    assert (few, many) == (10, 30)
    assert grown(early, late) == {}


def grown(early: dict[str, int], late: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Of which tables half as much again was read: they are three times as long by then."""
    before = {name: early.get(name, 0) for name in late}
    return {name: (before[name], n) for name, n in late.items() if n > before[name] * 1.5}


async def a_sale(client: Client, gateway: MemoryGateway) -> None:
    """With whatever both look at meanwhile, each act with a key."""
    seller, buyer = await client.member("s"), await client.member("b")
    product = f"/api/products/{(await seller.product(2))['id']}"
    trade = await buyer.post(f"{product}/trades", Idempotency_Key="buy")
    path = f"/api/trades/{trade['id']}"
    card = {"method": "CARD"}
    payment = await buyer.post(f"{path}/payment", card, Idempotency_Key="pay")
    gateway.pay(payment["id"], payment["amount"])
    hint = {"merchant_uid": payment["id"], "imp_uid": "imp_1", "status": "paid"}
    await client.post("/webhooks/portone/v1", hint)
    await buyer.post(f"/api/payments/{payment['id']}/complete", Idempotency_Key="done")
    await seller.post(f"{path}/approve", Idempotency_Key="approve")
    await buyer.post(f"{path}/confirm", Idempotency_Key="confirm")
    for who in (seller, buyer):
        for mine in ("", "/purchases", "/sales", "/reservations", "/reservations?role=seller"):
            await who.get(f"/api/me{mine}")
        for shown in (product, path, f"/api/payments/{payment['id']}"):
            await who.get(shown)
    for query in ("", "?status=ON_SALE", f"?seller_id={seller.id}"):
        await client.get(f"/api/products{query}")
    tokens = {"refresh_token": buyer.refresh_token}
    tokens = {"refresh_token": (await client.post("/api/auth/refresh", tokens))["refresh_token"]}
    await client.post("/api/auth/logout", tokens)


async def a_purchase_called_off(market: Market, acts: Acts) -> None:
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "no", None)


async def a_hold_that_runs_out(market: Market, acts: Acts, clock: MovableClock) -> None:
    trade = await acts.trade()
    await market.payments.start(trade.id, trade.buyer.id, Means(Method.CARD))
    clock.move(days=1)
    sweep = market.sweep
    for job in (sweep.hints, sweep.holds, sweep.cancellations, sweep.payments):
        await job()
    await market.notifications.send_reminders()
