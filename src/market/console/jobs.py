"""What workers do and have yet to do, from PgQueuer's tables and from ours."""

from collections.abc import Sequence
from datetime import datetime

from market.kit.db.database import Database

from .ports import Failure, Pending, Queued, Schedule


async def timetable(db: Database) -> Sequence[Schedule]:
    rows = await db.fetch(
        """
        SELECT entrypoint, expression, last_run, next_run, status::text FROM pgqueuer_schedules
        ORDER BY entrypoint
        """
    )
    return [Schedule(*row) for row in rows]


async def queue(db: Database) -> Sequence[Queued]:
    rows = await db.fetch(
        """
        SELECT entrypoint, status::text, count(*), min(created) FROM pgqueuer
        GROUP BY entrypoint, status ORDER BY entrypoint, status
        """
    )
    return [Queued(*row) for row in rows]


async def failures(db: Database, limit: int) -> Sequence[Failure]:
    rows = await db.fetch(
        """
        SELECT entrypoint, created, traceback ->> 'exception_type' FROM pgqueuer_log
        WHERE status IN ('exception', 'failed') ORDER BY created DESC LIMIT $1
        """,
        limit,
    )
    return [Failure(*row) for row in rows]


async def pending(db: Database, now: datetime) -> Sequence[Pending]:
    rows = await db.fetch(
        """
        SELECT 'hints', count(*), min(received_at) FROM webhooks WHERE handled_at IS NULL
        UNION ALL
        SELECT 'cancellations_due', count(*), min(created_at) FROM cancellations
        WHERE try_at <= $1
        UNION ALL
        SELECT 'cancellations_later', count(*), min(created_at) FROM cancellations
        WHERE try_at > $1
        UNION ALL
        SELECT 'cancellations_waiting', count(*), min(created_at) FROM cancellations
        WHERE status = 'REQUESTED' AND try_at IS NULL
        UNION ALL
        SELECT 'cancellations_failed', count(*), min(created_at) FROM cancellations
        WHERE status = 'FAILED'
        UNION ALL
        SELECT 'holds_due', count(*), min(hold_expires_at) FROM trades t
        WHERE t.awaits_payment AND hold_expires_at <= $1
        UNION ALL
        SELECT 'payments_due', count(*), min(look_at) FROM payments WHERE look_at <= $1
        UNION ALL
        SELECT 'incidents', count(*), min(created_at) FROM incidents WHERE settled_at IS NULL
        """,
        now,
    )
    return [Pending(*row) for row in rows]
