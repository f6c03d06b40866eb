"""What operators read: incidents that can be settled, and the books by account and by time."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # Money that nobody here knows has neither payment nor trade: `subject` says what it is about.
    op.execute("""
        ALTER TABLE incidents
            ALTER COLUMN payment_id DROP NOT NULL,
            ALTER COLUMN trade_id DROP NOT NULL,
            ADD COLUMN subject text,
            ADD COLUMN settled_at timestamptz,
            ADD COLUMN settled_by text,
            ADD COLUMN settlement text,
            DROP CONSTRAINT incidents_once
    """)
    op.execute("UPDATE incidents SET subject = replace(payment_id::text, '-', '')")
    op.execute("""
        ALTER TABLE incidents
            ALTER COLUMN subject SET NOT NULL,
            ADD CONSTRAINT incidents_once UNIQUE (kind, subject),
            ADD CONSTRAINT incidents_payment_with_trade CHECK (
                num_nulls(payment_id, trade_id) IN (0, 2)
            ),
            ADD CONSTRAINT incidents_settled_whole CHECK (
                num_nulls(settled_at, settled_by, settlement) IN (0, 3)
            )
    """)
    op.execute("CREATE INDEX incidents_open ON incidents (id) WHERE settled_at IS NULL")
    op.execute("CREATE INDEX incidents_by_payment ON incidents (payment_id)")

    # A statement reads one account's side of the ledger in the order of events.
    op.execute("CREATE INDEX transfers_debited ON transfers (debit, currency, occurred_at, id)")
    op.execute("CREATE INDEX transfers_credited ON transfers (credit, currency, occurred_at, id)")
    # The daily comparison asks for a day's captures and for a day's refunds.
    op.execute("CREATE INDEX payments_by_paid_at ON payments (paid_at) WHERE paid_at IS NOT NULL")
    op.execute("CREATE INDEX transfers_by_time ON transfers (kind, occurred_at)")
