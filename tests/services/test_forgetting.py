"""What has served its time is dropped in portions, each kind by itself, at night."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped]

from market import worker
from market.app import Market
from market.kit.db.database import Database
from market.kit.db.purge import BATCH_SIZE, purge
from market.kit.http.idempotency import RETENTION
from market.notifications.service import NotificationService
from market.notifications.sql import SqlNotifications
from market.shared.errors import Unavailable
from market.worker import forget
from tests.support.acts import Acts
from tests.support.clock import MovableClock

MANY = 2 * BATCH_SIZE + 1


async def keys(db: Database, count: int, at: datetime) -> None:
    """So many keys, kept at that time."""
    await db.execute(
        """
        INSERT INTO idempotency_keys (digest, fingerprint, claimed_until, created_at)
        SELECT sha256(n::text::bytea), '', $2, $2 FROM generate_series(1, $1::int) n
        """,
        count,
        at,
    )


async def count(db: Database, table: str) -> int:
    found: int = await db.fetch_value(f"SELECT count(*) FROM {table}")  # noqa: S608
    return found


async def test_a_backlog_is_dropped_a_portion_at_a_time(
    market: Market, db: Database, clock: MovableClock
) -> None:
    await keys(db, MANY, clock.now() - RETENTION - timedelta(seconds=1))
    assert await market.idempotency.purge_expired() == BATCH_SIZE
    assert await count(db, "idempotency_keys") == MANY - BATCH_SIZE
    await forget(market)
    assert await count(db, "idempotency_keys") == 0


async def test_what_still_serves_is_kept(market: Market, db: Database, clock: MovableClock) -> None:
    await keys(db, 3, clock.now() - RETENTION)
    await market.codes.keep("purpose", "holder", b"", timedelta(minutes=1))
    await forget(market)
    assert await count(db, "idempotency_keys") == 3
    assert await count(db, "one_time_codes") == 1


async def test_a_night_that_is_too_short_leaves_less_and_starves_no_other_kind(
    market: Market, db: Database, clock: MovableClock
) -> None:
    await keys(db, MANY, clock.now() - RETENTION - timedelta(seconds=1))
    await market.codes.keep("purpose", "holder", b"", timedelta())
    times = iter((0.0, 0.0, 2.0))  # the time is over after a round
    kinds = {"keys": market.idempotency.purge_expired, "codes": market.codes.purge_expired}
    dropped = await purge(kinds, timedelta(seconds=1), now=lambda: next(times))
    assert dropped == {"keys": BATCH_SIZE, "codes": 1}
    assert await count(db, "idempotency_keys") == MANY - BATCH_SIZE


async def test_a_kind_that_fails_holds_up_no_other() -> None:
    async def fail(_: int) -> int:
        raise Unavailable

    async def once(_: int) -> int:
        return 1

    assert await purge({"one": fail, "other": once}) == {"one": 0, "other": 1}


async def test_a_worker_that_stops_goes_on_with_it_the_next_night(
    market: Market, db: Database, clock: MovableClock
) -> None:
    await keys(db, 1, clock.now() - RETENTION - timedelta(seconds=1))
    await forget(market, stopping=lambda: True)
    assert await count(db, "idempotency_keys") == 1


@pytest.mark.parametrize(
    ("status", "days", "kept"),
    [
        ("successful", 0.9, True),
        ("successful", 1.1, False),
        ("picked", 1.1, False),
        ("exception", 29, True),
        ("exception", 31, False),
    ],
)
async def test_the_log_of_jobs_is_dropped(
    market: Market, db: Database, status: str, days: float, kept: bool
) -> None:
    await db.execute(
        """
        INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)
        VALUES (now() - $2::interval, 1, $1::text::pgqueuer_status, 0, 'hints')
        """,
        status,
        timedelta(days=days),
    )
    await forget(market)
    assert await count(db, "pgqueuer_log") == kept


async def test_sums_that_nobody_asks_for_are_dropped(market: Market, db: Database) -> None:
    await db.execute(
        """
        INSERT INTO pgqueuer_statistics (count, priority, status, entrypoint)
        VALUES (1, 0, 'successful', 'hints')
        """
    )
    await forget(market)
    assert await count(db, "pgqueuer_statistics") == 0


@pytest.mark.parametrize("cron", [worker.EVERY_NIGHT, worker.EVERY_NIGHT_LATER])
def test_what_is_heavy_is_done_at_night_where_the_market_is(cron: str) -> None:
    """A cron expression counts in UTC."""
    for month in range(1, 13):
        begins = croniter(cron, start_time=datetime(2026, month, 1, tzinfo=UTC)).get_next(datetime)
        assert 2 <= begins.astimezone(ZoneInfo("Asia/Seoul")).hour < 6


async def test_reminders_catch_up_however_many_are_due(
    acts: Acts, market: Market, db: Database, clock: MovableClock
) -> None:
    notifications = NotificationService(SqlNotifications(db), clock, batch_size=2)
    for _ in range(5):
        trade, _ = await acts.paid_trade()
        await market.trades.approve(trade.id, trade.seller.id)
    clock.move(days=30)
    assert await notifications.send_reminders() == 5
    assert await notifications.send_reminders() == 0
