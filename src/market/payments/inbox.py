"""The inbox of webhooks in PostgreSQL: stored, answered at once, handled by a worker."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from market.kit.db.database import Database
from market.kit.db.purge import BATCH_SIZE, drop
from market.kit.jobs import JobQueue
from market.shared.clock import Clock
from market.shared.ids import PaymentId

from .ports import WAKE, Hint

KEPT = timedelta(days=30)


class SqlInbox:
    """Webhooks that wait, and that were handled."""

    def __init__(self, db: Database, wake_ups: JobQueue, clock: Clock) -> None:
        self._db = db
        self._wake_ups = wake_ups
        self._clock = clock

    async def add(
        self,
        gateway: str,
        payment_id: PaymentId | None,
        body: Mapping[str, str],
        after: timedelta = timedelta(),
    ) -> None:
        async with self._db.transaction():
            # One hint per payment waits, however many come. Only until it is taken up: what comes
            # while the gateway is being asked may be news that its answer does not hold yet, and a
            # forged early one must not silence the real one.
            added = await self._db.execute(
                """
                INSERT INTO webhooks (gateway, payment_id, body, try_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (gateway, coalesce(payment_id::text, body))
                    WHERE handled_at IS NULL AND tries = 0 DO NOTHING
                """,
                gateway,
                payment_id,
                msgspec.json.encode(body, order="sorted").decode(),
                self._clock.now() + after,
            )
            if added and not after:
                await self._wake_ups.enqueue(WAKE)

    async def waiting(self, limit: int) -> Sequence[Hint]:
        """Takes up what waits; what is not marked handled comes again, after 2, 4, 8 … seconds, at
        most an hour."""
        # safeguard: due webhooks leased to one worker
        rows = await self._db.fetch(
            """
            UPDATE webhooks
            SET tries = tries + 1,
                try_at = $1 + least(interval '1 hour', interval '2 seconds' * 2 ^ least(tries, 12))
            WHERE id IN (SELECT id FROM webhooks WHERE handled_at IS NULL AND try_at <= $1
                         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
            RETURNING id, payment_id
            """,
            self._clock.now(),
            limit,
        )
        return [Hint(row["id"], row["payment_id"]) for row in rows]

    async def forget_handled(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of the webhooks that were handled a month ago; how many."""
        return await drop(self._db, "webhooks", "handled_at < $1", limit, self._clock.now() - KEPT)

    async def handled(self, id: int) -> None:
        await self._db.execute(
            "UPDATE webhooks SET handled_at = $2 WHERE id = $1", id, self._clock.now()
        )
