"""Beginning to pay: whether the gateway knows the amount yet, who has an account opened just now,
and how many calls about a payment were answered with a no: the next is another one, by its key."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE payments
            ADD COLUMN registered boolean NOT NULL DEFAULT false,
            ADD COLUMN issuing_until timestamptz,
            ADD COLUMN answers integer NOT NULL DEFAULT 0
    """)
    # Of those that can still be paid at a window: the others never ask.
    op.execute("""
        UPDATE payments SET registered = true WHERE status = 'READY' AND id IN (
            SELECT payment_id FROM payment_events WHERE what = 'REGISTERED')
    """)
