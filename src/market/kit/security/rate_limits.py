"""Rate limits that all processes share: one row per key, one statement per question.

The generic cell rate algorithm (ITU-T I.371): each turn that is taken keeps its key busy for one
interval longer, and a turn may be taken while that reaches no further than a burst's length ahead.
So a key needs one timestamp, has no window at whose edge twice as many pass, and frees itself turn
by turn. Keys are kept as keyed digests: addresses and e-mail addresses are nobody's to read here.
"""

import hmac
import math
from collections.abc import Sequence
from functools import cache

from market.kit.db.database import Database
from market.kit.db.purge import BATCH_SIZE, drop
from market.shared.clock import Clock
from market.shared.errors import RateLimited
from market.shared.rate_limit import RateLimit

# How far the clocks of two hosts may be apart.
_APART = "interval '5 seconds'"


class SqlRateLimits:
    """Turns, counted in PostgreSQL."""

    def __init__(self, db: Database, clock: Clock, secret: str) -> None:
        self._db = db
        self._clock = clock
        self._secret = f"rate limits\0{secret}".encode()

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        """Takes a turn of every key, in one round trip. Raises RateLimited.

        In the order given, and none after the first that is refused: who has used up a narrow
        limit can't wear out the wider ones behind it. What is taken stays taken whatever becomes
        of the request, so this is never called within its transaction.
        """
        now = self._clock.now()
        args: list[object] = [now]
        for limit, text in turns:
            args += [self._digest(text), limit.emission_interval, limit.burst_tolerance]
        row = await self._db.fetch_one(_statement(len(turns)), *args)
        if row is None or not row["taken"]:
            wait = (row["free_at"] - now).total_seconds() if row and row["free_at"] else 0.0
            raise RateLimited(retry_after=max(1, math.ceil(wait)))

    async def purge_expired(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of the keys that are as good as never used; how many."""
        return await drop(self._db, "rate_limits", "busy_until < $1", limit, self._clock.now())

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._secret, text.encode(), "sha256")


class NoRateLimits:
    """For load tests: everybody may do everything at once (MARKET_RATE_LIMITS=off)."""

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        """Never refuses."""


@cache
def _statement(count: int) -> str:
    """Takes `count` turns, each only if the one before was taken.

    ON CONFLICT … WHERE looks at the row as it is once it is locked, so of many at once no more
    pass than there are turns; a refusal writes nothing. `free_at` is of the statement's snapshot
    and may be a moment old: it only says how long to wait.

    No key is ever busy for longer than all of its turns last. One that seems to be was written
    before the clock was put back: it has one turn left, and waits no longer than its limit says.
    """
    turns, frees = [], []
    for i in range(count):
        key, interval, slack = (f"${2 + 3 * i + n}" for n in range(3))
        before = f" FROM turn_{i - 1}" if i else ""
        turns.append(f"""turn_{i} AS (
            INSERT INTO rate_limits AS r (key, busy_until)
            SELECT {key}::bytea, $1::timestamptz + {interval}::interval{before}
            ON CONFLICT (key) DO UPDATE
                SET busy_until = least(greatest(r.busy_until, $1), $1 + {slack}) + {interval}
                WHERE r.busy_until <= $1 + {slack}::interval
                   OR r.busy_until > $1 + {slack} + {interval} + {_APART}
            RETURNING 1
        )""")  # noqa: S608
        free = f"least(busy_until, $1 + {slack} + {interval}) - {slack}"
        frees.append(f"(SELECT {free} FROM rate_limits WHERE key = {key})")  # noqa: S608
    return f"""
        WITH {", ".join(turns)}
        SELECT EXISTS (SELECT FROM turn_{count - 1}) AS taken,
               greatest({", ".join(frees)}) AS free_at
    """  # noqa: S608 # made of numbers alone
