"""Every invariant as SQL over a live database: each query finds what is broken, and nothing else.

A row it returns is one broken thing, described by its columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from market.kit.db.database import Database

# A request may not take as long; a question about every trade there ever was may.
PATIENCE = timedelta(minutes=10)

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
    "a trade that waits for money to go back has it on its way, and none that goes on": """
        SELECT t.id, t.status, t.cancel_by, t.refunding FROM trades t
        LEFT JOIN cancellations c ON c.payment_id = t.payment_id AND c.status = 'REQUESTED'
        WHERE CASE WHEN (t.cancel_by IS NOT NULL AND t.status <> 'CANCELLED') OR t.refunding
                   THEN c.id IS NULL
                   ELSE c.id IS NOT NULL AND t.status IN ('PAID', 'SALE_APPROVED') END
    """,
    "a trade has the times of the steps it took, and of no other": """
        SELECT id, status, payment_id, paid_at, approved_at, confirmed_at, cancel_by FROM trades
        WHERE (status IN ('PAID', 'SALE_APPROVED', 'PURCHASE_CONFIRMED') AND paid_at IS NULL)
           OR (status IN ('SALE_APPROVED', 'PURCHASE_CONFIRMED') AND approved_at IS NULL)
           OR (status = 'PURCHASE_CONFIRMED') <> (confirmed_at IS NOT NULL)
           OR (status = 'CANCELLED' AND cancel_by IS NULL)
           OR (status = 'AWAITING_PAYMENT' AND num_nonnulls(payment_id, paid_at) > 0)
    """,
    "a running trade knows how much of its money went back": """
        SELECT t.id, t.refunded, p.cancelled_amount FROM trades t
        JOIN payments p ON p.id = t.payment_id AND p.trade_id = t.id
        WHERE t.status IN ('PAID', 'SALE_APPROVED') AND t.refunded <> p.cancelled_amount
    """,
    "a trade is paid by a payment of its own": """
        SELECT t.id, t.payment_id, p.trade_id AS payment_of FROM trades t
        JOIN payments p ON p.id = t.payment_id WHERE p.trade_id <> t.id
    """,
    "a trade is with its product's seller": """
        SELECT t.id, t.seller_id, p.seller_id AS product_of FROM trades t
        JOIN products p ON p.id = t.product_id WHERE p.seller_id <> t.seller_id
    """,
    "a payment asks its trade's buyer for its trade's price": """
        SELECT p.id, p.payer_id, t.buyer_id, p.amount, t.price, p.currency FROM payments p
        JOIN trades t ON t.id = p.trade_id
        WHERE (p.payer_id, p.amount, p.currency) <> (t.buyer_id, t.price, t.currency)
    """,
    "a payment's status says what its amounts say": """
        SELECT id, status, captured_amount, cancelled_amount FROM payments
        WHERE captured_amount IS NOT NULL
          AND status <> CASE WHEN cancelled_amount = 0 THEN 'PAID'
                             WHEN cancelled_amount < captured_amount THEN 'PARTIALLY_CANCELLED'
                             ELSE 'CANCELLED' END
    """,
    "captured money has the gateway's name for it, its time and its currency": """
        SELECT id, reference, paid_at, captured_currency FROM payments
        WHERE captured_amount IS NOT NULL AND num_nulls(reference, paid_at, captured_currency) > 0
    """,
    "captured money has a live trade, or is on its way back, or is back": """
        SELECT p.id, p.status FROM payments p
        JOIN trades t ON t.id = p.trade_id
        WHERE p.captured_amount > p.cancelled_amount
          AND NOT (t.payment_id IS NOT DISTINCT FROM p.id AND t.status <> 'CANCELLED')
          AND NOT EXISTS (SELECT FROM cancellations c
                          WHERE c.payment_id = p.id
                            AND (c.status = 'REQUESTED' OR c.given_up_by IS NOT NULL))
    """,
    "a refund that was given up has a reason, and a line of its operator's": """
        SELECT c.id, c.status, c.failure, c.given_up_by FROM cancellations c
        WHERE c.given_up_by IS NOT NULL
          AND (c.status = 'REQUESTED' OR (c.status = 'FAILED' AND c.failure IS NULL)
               OR NOT EXISTS (
                   SELECT FROM operator_acts a
                   WHERE a.act = 'give up a refund' AND a.actor = c.given_up_by
                     AND a.subject = 'payment ' || replace(c.payment_id::text, '-', '')))
    """,
    "money that came under an order besides has a payment of its own, and is told of": """
        SELECT p.id, p.order_id, p.captured_amount FROM payments p
        JOIN payments o ON o.id = p.order_id
        WHERE o.order_id IS NOT NULL OR o.captured_amount IS NULL OR p.captured_amount IS NULL
           OR (p.trade_id, p.payer_id, p.gateway) <> (o.trade_id, o.payer_id, o.gateway)
           OR NOT EXISTS (SELECT FROM incidents i
                          WHERE i.kind = 'paid_twice' AND i.payment_id = p.id)
    """,
    "only a trade that awaits payment waits for one": """
        SELECT p.id, p.status, t.status AS trade FROM payments p JOIN trades t ON t.id = p.trade_id
        WHERE p.status IN ('READY', 'VIRTUAL_ACCOUNT_ISSUED') AND t.status <> 'AWAITING_PAYMENT'
    """,
    "a cancellation that succeeded sent its money back": """
        SELECT p.id, p.cancelled_amount, c.amount AS succeeded FROM payments p
        JOIN (SELECT payment_id, sum(amount) AS amount FROM cancellations
              WHERE status = 'SUCCEEDED' GROUP BY payment_id) c ON c.payment_id = p.id
        WHERE c.amount > p.cancelled_amount
    """,
    "a cancellation will be tried again, or waits for an account, or has ended": """
        SELECT c.id, c.status, c.try_at, c.settled_at FROM cancellations c
        JOIN payments p ON p.id = c.payment_id
        WHERE (c.status = 'REQUESTED') <> (c.settled_at IS NULL)
           OR (c.status = 'SUCCEEDED' AND c.try_at IS NOT NULL)
           OR (c.status = 'REQUESTED' AND c.try_at IS NULL
               AND (coalesce(p.used_method, p.method) <> 'VIRTUAL_ACCOUNT'
                    OR c.refund_account IS NOT NULL))
    """,
    "a refund account is kept only until the money has reached it": """
        SELECT c.id, c.status, p.transfer FROM cancellations c
        JOIN payments p ON p.id = c.payment_id
        WHERE c.refund_account IS NOT NULL AND c.status = 'SUCCEEDED' AND c.failure IS NULL
          AND p.transfer IS DISTINCT FROM 'PENDING' AND p.transfer IS DISTINCT FROM 'FAILED'
    """,
    "a transfer that failed is an incident, and one that waits is looked at again": """
        SELECT p.id, p.transfer, p.look_at FROM payments p
        WHERE (p.transfer IN ('PENDING', 'FAILED') AND p.look_at IS NULL)
           OR (p.transfer = 'FAILED' AND NOT EXISTS (
                   SELECT FROM incidents i
                   WHERE i.kind = 'refund_transfer_failed' AND i.payment_id = p.id))
    """,
    "a refund that is done leaves no incident open": """
        SELECT i.id, i.kind, i.subject FROM incidents i
        JOIN cancellations c ON c.payment_id = i.payment_id AND c.status = 'SUCCEEDED'
         AND i.subject = replace(c.payment_id::text, '-', '') || ': '
                      || replace(c.id::text, '-', '')
        WHERE i.kind IN ('refund_account_needed', 'refund_refused') AND i.settled_at IS NULL
    """,
    # Three, as `payments.cancellation.MEMBERS_PARTS` says; before there was that rule, a refund did
    # not tell what was asked for.
    "members send few parts of a payment back, and leave the whole a way": """
        SELECT payment_id AS id, count(*) AS parts FROM cancellations
        WHERE asked_by IN ('BUYER', 'SELLER') AND status <> 'FAILED' AND asked_amount IS NOT NULL
        GROUP BY payment_id HAVING count(*) > 3
    """,
    "a payment's capture is in the books": """
        SELECT coalesce(replace(p.id::text, '-', ''), x.id) AS id, p.captured_amount,
               p.captured_currency, x.amount AS booked, x.currency AS booked_in
        FROM payments p
        FULL JOIN (SELECT source AS id, amount, currency FROM transfers
                   WHERE kind = 'CAPTURED') x ON x.id = replace(p.id::text, '-', '')
        WHERE (p.id IS NULL OR p.captured_amount IS NOT NULL OR x.id IS NOT NULL)
          AND (p.captured_amount, p.captured_currency) IS DISTINCT FROM (x.amount, x.currency)
    """,
    "what went back of a payment is in the books": """
        SELECT coalesce(replace(p.id::text, '-', ''), x.id) AS id, p.cancelled_amount,
               x.amount AS booked, x.currency AS booked_in
        FROM payments p
        FULL JOIN (SELECT coalesce(replace(t.payment_id::text, '-', ''), t.source) AS id,
                          currency, sum(amount) AS amount
                   FROM transfers t WHERE kind = 'RETURNED' GROUP BY 1, 2) x
             ON x.id = replace(p.id::text, '-', '')
        WHERE coalesce(p.cancelled_amount, 0) <> coalesce(x.amount, 0)
           OR x.currency <> p.captured_currency
    """,
    "a confirmed trade is settled once, in full": """
        SELECT coalesce(replace(t.id::text, '-', ''), x.id) AS id, t.price, t.refunded, t.fee,
               x.amount AS booked, x.fee AS fee_booked, x.currency AS booked_in
        FROM (SELECT * FROM trades WHERE status = 'PURCHASE_CONFIRMED') t
        FULL JOIN (SELECT source AS id, currency, sum(amount) AS amount,
                          coalesce(sum(amount) FILTER (WHERE kind = 'FEE'), 0) AS fee
                   FROM transfers WHERE kind IN ('SETTLED', 'FEE') GROUP BY 1, 2) x
             ON x.id = replace(t.id::text, '-', '')
        WHERE (t.price - t.refunded, t.fee * (t.price - t.refunded) / t.price, t.currency)
              IS DISTINCT FROM (x.amount, x.fee, x.currency)
    """,
    "a transfer moves between the accounts of its kind": """
        SELECT x.id, x.kind, x.source, x.debit, x.credit FROM transfers x
        LEFT JOIN trades t ON x.kind = 'SETTLED' AND replace(t.id::text, '-', '') = x.source
        WHERE (x.debit, x.credit) IS DISTINCT FROM (
            CASE WHEN x.kind = 'CAPTURED' THEN 'gateway'
                 -- What goes back after the seller was credited is not ours to hold any more.
                 WHEN x.kind = 'RETURNED' AND x.debit = 'claims' THEN 'claims'
                 ELSE 'escrow' END,
            CASE x.kind WHEN 'CAPTURED' THEN 'escrow'
                        WHEN 'RETURNED' THEN 'gateway'
                        WHEN 'FEE' THEN 'fees'
                        WHEN 'SETTLED' THEN
                            coalesce('seller:' || replace(t.seller_id::text, '-', ''), x.credit)
                        END)
    """,
    "the balances of all accounts sum to nothing": """
        SELECT currency, sum(balance) AS sum FROM balances GROUP BY currency
        HAVING sum(balance) <> 0
    """,
    "escrow holds exactly what is captured and neither returned nor settled": """
        SELECT currency, coalesce(e.balance, 0) AS balance, coalesce(h.held, 0) AS held
        FROM (SELECT currency, balance FROM balances WHERE account = 'escrow') e
        FULL JOIN (SELECT p.captured_currency AS currency,
                          sum(p.captured_amount - p.cancelled_amount) AS held
                   FROM payments p LEFT JOIN trades t ON t.payment_id = p.id
                        AND t.status = 'PURCHASE_CONFIRMED'
                   WHERE p.captured_amount IS NOT NULL AND t.id IS NULL GROUP BY 1) h
             USING (currency)
        WHERE coalesce(e.balance, 0) <> coalesce(h.held, 0)
    """,
    "the ledger can't be rewritten": """
        SELECT name AS without FROM (VALUES ('transfers_stand'), ('transfers_stay')) AS guard (name)
        WHERE NOT EXISTS (SELECT FROM pg_trigger
                          WHERE tgrelid = 'transfers'::regclass AND tgname = name
                            AND tgenabled IN ('O', 'A'))
    """,
    "an incident about a payment is about its trade": """
        SELECT i.id, i.payment_id, i.trade_id, p.trade_id AS payment_of FROM incidents i
        JOIN payments p ON p.id = i.payment_id WHERE i.trade_id <> p.trade_id
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
    found: list[Broken] = []
    for invariant, sql in INVARIANTS.items():
        async with db.long_transaction(PATIENCE):
            # It does look at everything, and nobody waits for it.
            await db.execute("SET LOCAL enable_seqscan = on")
            await db.execute("SET LOCAL max_parallel_workers_per_gather = 2")
            found += [Broken(invariant, dict(row)) for row in await db.fetch(sql)]
    return found
