"""What the gateway has under one order: several attempts, each of which may take money; and how it
was paid, which only the gateway's record tells."""

from alembic import op

from market.kit.db.migrate import create_index_concurrently

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    # Without an order of its own, a payment's id is the id of its order.
    op.execute("""
        ALTER TABLE payments
            ADD COLUMN order_id uuid REFERENCES payments,
            ADD COLUMN used_method text,
            ADD CONSTRAINT payments_used_method CHECK (used_method IN (
                'CARD', 'VIRTUAL_ACCOUNT', 'TRANSFER', 'MOBILE', 'EASY_PAY', 'OTHER'
            )),
            ADD CONSTRAINT payments_found_under_another CHECK (order_id <> id)
    """)
    op.execute("""
        ALTER TABLE payment_events
            DROP CONSTRAINT payment_events_what,
            ADD CONSTRAINT payment_events_what CHECK (what IN (
                'ASKED', 'FOUND', 'REGISTERED', 'LOOKED', 'EXPIRED', 'REFUND_TRIED',
                'REFUND_REFUSED', 'ACCOUNT_NAMED'
            )) NOT VALID
    """)
    op.execute("ALTER TABLE payment_events VALIDATE CONSTRAINT payment_events_what")
    create_index_concurrently("payments_by_order", "payments (order_id) WHERE order_id IS NOT NULL")
