"""Payments that may still change by themselves, found in PostgreSQL page by page."""

from collections.abc import AsyncIterator, Sequence

from market.kit.db import Database
from market.shared.ids import PaymentId

# Page by page along an index of them alone: of all there ever were, hardly any is unfinished. And
# none beyond the newest there was at first, or in a busy market there would be no end to it.
_NEWEST_TRADE = "SELECT id FROM trades ORDER BY id DESC LIMIT 1"
_NEWEST_PAYMENT = "SELECT id FROM payments ORDER BY id DESC LIMIT 1"
_FIRST = "0" * 32
# Of a trade that goes on, all payments with money: of a second one, some may have stayed. Those
# that are unfinished besides come with the unfinished.
_OF_TRADES = """
    SELECT id, ARRAY (
        SELECT p.id FROM payments p
        WHERE p.trade_id = t.id AND p.captured_amount > p.cancelled_amount AND p.look_at IS NULL
          AND NOT EXISTS (SELECT FROM cancellations c
                          WHERE c.payment_id = p.id AND c.status = 'REQUESTED')
    ) AS payments
    FROM trades t
    WHERE status IN ('PAID', 'SALE_APPROVED') AND id > $1 AND id <= $2 ORDER BY id LIMIT $3
"""
_UNFINISHED = """
    SELECT id FROM (
        (SELECT id FROM payments
         WHERE look_at IS NOT NULL AND id > $1 AND id <= $2 ORDER BY id LIMIT $3)
        UNION
        (SELECT payment_id FROM cancellations
         WHERE status = 'REQUESTED' AND payment_id > $1 AND payment_id <= $2
         ORDER BY payment_id LIMIT $3)
    ) AS unfinished
    ORDER BY id LIMIT $3
"""


async def open_ids(db: Database, at_once: int) -> AsyncIterator[Sequence[PaymentId]]:
    """See `Payments.open_ids`."""
    after, newest = _FIRST, await db.value(_NEWEST_TRADE)
    while trades := await db.fetch(_OF_TRADES, after, newest, at_once):
        yield [id for row in trades for id in row["payments"]]
        after = trades[-1]["id"]
    after, newest = _FIRST, await db.value(_NEWEST_PAYMENT)
    while payments := await db.fetch(_UNFINISHED, after, newest, at_once):
        yield [row["id"] for row in payments]
        after = payments[-1]["id"]
