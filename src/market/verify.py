"""Every invariant as SQL over a live database: each query finds what is broken, and nothing else.

A row it returns is one broken thing, described by its columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from market.kit.db import Database

INVARIANTS: Mapping[str, str] = {
    "a product's taken units are its live trades": """
        SELECT p.id, p.taken, count(t.id) AS live FROM products p
        LEFT JOIN trades t ON t.product_id = p.id AND t.status <> 'CANCELLED'
        GROUP BY p.id HAVING p.taken <> count(t.id)
    """,
    "a product's confirmed units are its confirmed trades": """
        SELECT p.id, p.confirmed, count(t.id) AS trades FROM products p
        LEFT JOIN trades t ON t.product_id = p.id AND t.status = 'PURCHASE_CONFIRMED'
        GROUP BY p.id HAVING p.confirmed <> count(t.id)
    """,
    "a running paid trade has its money at the gateway": """
        SELECT t.id, t.status, p.status AS payment FROM trades t
        LEFT JOIN payments p ON p.id = t.payment_id AND p.trade_id = t.id
        WHERE t.status IN ('PAID', 'SALE_APPROVED')
          AND (p.id IS NULL OR p.status NOT IN ('PAID', 'PARTIALLY_CANCELLED')
               OR p.captured_amount <> t.price
               OR p.captured_currency <> t.currency)
    """,
    "captured money has a live trade, or is on its way back, or is back": """
        SELECT p.id, p.status FROM payments p
        JOIN trades t ON t.id = p.trade_id
        WHERE p.captured_amount > p.cancelled_amount
          AND NOT (t.payment_id = p.id AND t.status <> 'CANCELLED')
          AND NOT EXISTS (SELECT FROM cancellations c
                          WHERE c.payment_id = p.id AND c.status = 'REQUESTED')
          AND NOT EXISTS (SELECT FROM incidents i WHERE i.payment_id = p.id)
    """,
    "a payment's capture is in the books": """
        SELECT p.id, p.captured_amount, x.amount AS booked FROM payments p
        FULL JOIN (SELECT replace(source, '-', '')::uuid AS id, amount, currency FROM transfers
                   WHERE kind = 'CAPTURED') x ON x.id = p.id
        WHERE (p.id IS NULL OR p.captured_amount IS NOT NULL)
          AND (p.captured_amount, p.captured_currency) IS DISTINCT FROM (x.amount, x.currency)
    """,
    "what went back of a payment is in the books": """
        SELECT coalesce(p.id, x.id) AS id, p.cancelled_amount, x.amount AS booked FROM payments p
        FULL JOIN (SELECT split_part(source, ':', 1)::uuid AS id, sum(amount) AS amount
                   FROM transfers WHERE kind = 'RETURNED' GROUP BY 1) x ON x.id = p.id
        WHERE coalesce(p.cancelled_amount, 0) <> coalesce(x.amount, 0)
    """,
    "a confirmed trade is settled once, in full": """
        SELECT coalesce(t.id, x.id) AS id, t.price, x.amount AS booked
        FROM (SELECT * FROM trades WHERE status = 'PURCHASE_CONFIRMED') t
        FULL JOIN (SELECT source::uuid AS id, sum(amount) AS amount,
                          coalesce(sum(amount) FILTER (WHERE kind = 'FEE'), 0) AS fee
                   FROM transfers WHERE kind IN ('SETTLED', 'FEE') GROUP BY 1) x ON x.id = t.id
        WHERE t.price - t.refunded IS DISTINCT FROM x.amount
           OR t.fee * (t.price - t.refunded) / t.price IS DISTINCT FROM x.fee
    """,
    "the balances of all accounts sum to nothing": """
        SELECT currency, sum(balance) AS sum FROM balances GROUP BY currency
        HAVING sum(balance) <> 0
    """,
    "escrow holds exactly what is captured and neither returned nor settled": """
        SELECT e.balance, h.held FROM
            (SELECT coalesce(sum(balance), 0) AS balance FROM balances
             WHERE account = 'escrow' AND currency = 'KRW') e,
            (SELECT coalesce(sum(p.captured_amount - p.cancelled_amount), 0) AS held
             FROM payments p LEFT JOIN trades t ON t.payment_id = p.id
                  AND t.status = 'PURCHASE_CONFIRMED'
             WHERE p.captured_currency = 'KRW' AND t.id IS NULL) h
        WHERE e.balance <> h.held
    """,
    "no unpaid hold is older than its deadline and some grace": """
        SELECT id, hold_expires_at FROM trades
        WHERE status = 'AWAITING_PAYMENT' AND hold_expires_at < now() - interval '10 minutes'
    """,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken thing: which invariant, and what was found."""

    invariant: str
    found: Mapping[str, object]


async def broken(db: Database) -> list[Broken]:
    """Everything that does not hold; each invariant is asked in one statement, so it can be asked
    of a market that goes on trading."""
    return [
        Broken(invariant, dict(row))
        for invariant, sql in INVARIANTS.items()
        for row in await db.fetch(sql)
    ]
