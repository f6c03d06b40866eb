"""Refunds that end later than they are answered: which try may still succeed, and which the gateway
has taken up."""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE cancellations
            ADD COLUMN answers integer NOT NULL DEFAULT 0,
            ADD COLUMN sent_at timestamptz,
            ADD COLUMN lost_at timestamptz,
            ADD COLUMN taken_up_at timestamptz
    """)
    # Which of the tries so far were answered nobody has written down: perhaps not the last.
    op.execute("""
        UPDATE cancellations SET sent_at = now() WHERE status = 'REQUESTED' AND tries > 0
    """)
    # As one that is done ends the incidents that told of it from now on.
    op.execute("""
        UPDATE incidents i SET settled_at = c.settled_at, settled_by = 'the market',
                               settlement = 'refund_done'
        FROM cancellations c
        WHERE i.kind IN ('refund_account_needed', 'refund_refused') AND i.settled_at IS NULL
          AND c.payment_id = i.payment_id AND c.status = 'SUCCEEDED'
          AND i.subject = replace(c.payment_id::text, '-', '') || ': '
                       || replace(c.id::text, '-', '')
    """)
