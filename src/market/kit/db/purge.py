"""Drops what has served its time, in portions: whatever a big day has left behind, no statement
takes long, nobody waits for it, and what is not done tonight is less tomorrow."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from .database import Database

BATCH_SIZE = 2_000
# A night's work; it is morning then.
NIGHT_BUDGET = timedelta(minutes=60)

# Drops at most so many rows; how many it dropped.
Drop = Callable[[int], Awaitable[int]]

_log = structlog.get_logger()


async def drop(db: Database, table: str, condition: str, limit: int, *args: object) -> int:
    """Deletes at most `limit` rows for which `condition` holds; how many. What changes meanwhile
    is left for the next time. Table and condition are our own words."""
    return await db.execute(
        f"""
        DELETE FROM {table} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {table} WHERE {condition} LIMIT {limit}))
        """,  # noqa: S608
        *args,
    )


async def purge(
    kinds: Mapping[str, Drop],
    within: timedelta = NIGHT_BUDGET,
    now: Callable[[], float] = time.monotonic,
    stopping: Callable[[], bool] = lambda: False,
) -> Mapping[str, int]:
    """A portion of each kind in turn, until nothing is left, the time is over or the process is
    `stopping`; how many of each.

    Each kind is by itself: one that fails, or has more than a night can take, holds up no other.
    """
    dropped = dict.fromkeys(kinds, 0)
    left, until = dict(kinds), now() + within.total_seconds()
    while left and now() < until and not stopping():
        for name, portion in list(left.items()):
            try:
                count = await portion(BATCH_SIZE)
            except Exception:  # whatever it is, the others go on
                _log.exception("purge_failed", kind=name)
                del left[name]
                continue
            dropped[name] += count
            if count < BATCH_SIZE:
                del left[name]
    _log.info("forgotten", **dropped, unfinished=sorted(left))
    return dropped
