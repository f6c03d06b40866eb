"""A payment's whole history, from every table that knows a piece of it, in one statement."""

from collections.abc import Sequence

import msgspec

from market.kit.db.database import Database, Row
from market.shared.ids import PaymentId

from .ports import Moment

# A payment that strangers keep hinting at must not make a page nobody can load.
LONGEST = 500

# What one transaction wrote has one time: within it, cause stands before effect (`rank`). Names of
# ids in the ledger and the audit log are 32 hex digits, without PostgreSQL's dashes.
_HISTORY = f"""
    WITH one AS (
        SELECT p.id, p.trade_id, replace(p.id::text, '-', '') AS name,
               replace(p.trade_id::text, '-', '') AS trade_name, p.created_at
        FROM payments p WHERE p.id = $1
    ), moments (at, rank, place, source, what, facts, actor) AS (
        SELECT e.at, 2, e.id, 'event', e.what,
               jsonb_strip_nulls(to_jsonb(e) - '{{id,payment_id,at,what}}'::text[]), NULL::text
        FROM payment_events e JOIN one ON e.payment_id = one.id
      UNION ALL
        -- What began before histories were kept.
        SELECT one.created_at, 2, 0, 'event', 'ASKED', '{{}}', NULL FROM one
        WHERE NOT EXISTS (SELECT FROM payment_events e
                          WHERE e.payment_id = one.id AND e.what = 'ASKED')
      UNION ALL
        SELECT step.at, 4, 0, 'trade', step.what,
               jsonb_build_object('by', t.cancel_by, 'reason', t.cancel_reason), NULL
        FROM trades t JOIN one ON t.id = one.trade_id
        CROSS JOIN LATERAL (VALUES
            (t.created_at, 'BOUGHT'), (t.paid_at, 'PAID'), (t.approved_at, 'APPROVED'),
            (t.confirmed_at, 'CONFIRMED'), (t.cancel_asked_at, 'CANCEL_ASKED'),
            (t.cancelled_at, 'CANCELLED')) AS step (at, what)
        WHERE step.at IS NOT NULL
      UNION ALL
        SELECT c.created_at, 1, 0, 'cancellation', 'REQUESTED',
               jsonb_build_object('amount', c.amount, 'by', c.asked_by, 'reason', c.reason), NULL
        FROM cancellations c JOIN one ON c.payment_id = one.id
      UNION ALL
        SELECT c.settled_at, 5, 0, 'cancellation', c.status,
               jsonb_build_object('amount', c.amount, 'why', c.failure), NULL
        FROM cancellations c JOIN one ON c.payment_id = one.id WHERE c.settled_at IS NOT NULL
      UNION ALL
        SELECT f.recorded_at, 3, f.id, 'transfer', f.kind,
               jsonb_build_object('debit', f.debit, 'credit', f.credit, 'amount', f.amount,
                                  'currency', f.currency, 'occurred_at', f.occurred_at), NULL
        FROM one CROSS JOIN LATERAL (
            SELECT id, kind, debit, credit, amount, currency, occurred_at, recorded_at
            FROM transfers WHERE kind = 'CAPTURED' AND source = one.name
          UNION ALL
            SELECT id, kind, debit, credit, amount, currency, occurred_at, recorded_at
            FROM transfers x WHERE kind = 'RETURNED' AND x.payment_id = one.id
          UNION ALL
            SELECT f.id, kind, debit, credit, amount, f.currency, occurred_at, recorded_at
            FROM transfers f JOIN trades t ON t.id = one.trade_id
            WHERE kind IN ('SETTLED', 'FEE') AND source = one.trade_name AND t.payment_id = one.id
        ) f
      UNION ALL
        SELECT w.received_at, 0, w.id, 'webhook', w.gateway,
               jsonb_build_object('told', w.body, 'handled_at', w.handled_at,
                                  'tries', w.tries), NULL
        FROM webhooks w JOIN one ON w.payment_id = one.id
      UNION ALL
        SELECT i.created_at, 6, i.id, 'incident', i.kind,
               jsonb_build_object('id', i.id, 'seen', i.seen), NULL
        FROM incidents i JOIN one ON i.payment_id = one.id
      UNION ALL
        SELECT a.at, 0, a.id, 'act', a.act,
               jsonb_build_object('subject', a.subject, 'reason', a.reason),
               coalesce(m.nickname, a.actor)
        FROM one JOIN operator_acts a ON a.subject IN (
            SELECT 'payment ' || one.name UNION ALL SELECT 'trade ' || one.trade_name
            UNION ALL SELECT 'incident ' || i.id FROM incidents i WHERE i.payment_id = one.id)
        LEFT JOIN members m
               ON m.id = CASE WHEN a.actor ~ '^[0-9a-f]{{32}}$' THEN a.actor::uuid END
    ), newest AS (
        SELECT at, rank, place, source, what, facts, actor FROM moments
        ORDER BY at DESC, rank DESC, place DESC LIMIT {LONGEST}
    )
    SELECT at, source, what, facts::text, actor FROM newest ORDER BY at, rank, place
"""  # noqa: S608 # our own words


async def of_payment(db: Database, id: PaymentId) -> Sequence[Moment]:
    return [_moment(row) for row in await db.fetch(_HISTORY, id)]


def _moment(row: Row) -> Moment:
    facts = msgspec.json.decode(row["facts"])
    if row["source"] == "webhook":
        # Text, not jsonb: what strangers may send, \u0000 too, PostgreSQL would refuse to read.
        facts["told"] = msgspec.json.decode(facts["told"])
    return Moment(row["at"], row["source"], row["what"], facts, row["actor"])
