"""Trades."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE trades (
            id uuid PRIMARY KEY,
            product_id uuid NOT NULL REFERENCES products,
            product_name text NOT NULL,
            seller_id uuid NOT NULL REFERENCES members,
            buyer_id uuid NOT NULL REFERENCES members,
            price bigint NOT NULL,
            fee bigint NOT NULL,
            currency text NOT NULL,
            status text NOT NULL,
            hold_expires_at timestamptz NOT NULL,
            payment_id uuid,
            created_at timestamptz NOT NULL,
            paid_at timestamptz,
            approved_at timestamptz,
            confirmed_at timestamptz,
            cancel_by text,
            cancel_reason text,
            cancel_asked_at timestamptz,
            cancelled_at timestamptz,
            version bigint NOT NULL DEFAULT 0,
            CONSTRAINT trades_status CHECK (status IN (
                'AWAITING_PAYMENT', 'PAID', 'SALE_APPROVED', 'PURCHASE_CONFIRMED', 'CANCELLED'
            )),
            CONSTRAINT trades_price_positive CHECK (price > 0),
            CONSTRAINT trades_fee_within_price CHECK (0 <= fee AND fee <= price),
            CONSTRAINT trades_between_two CHECK (buyer_id <> seller_id),
            CONSTRAINT trades_paid_by_a_payment CHECK (
                payment_id IS NOT NULL OR status IN ('AWAITING_PAYMENT', 'CANCELLED')
            ),
            CONSTRAINT trades_cancel_asked_whole CHECK (
                num_nulls(cancel_by, cancel_reason, cancel_asked_at) IN (0, 3)
            ),
            CONSTRAINT trades_cancelled_at CHECK (
                (status = 'CANCELLED') = (cancelled_at IS NOT NULL)
            )
        ) WITH (fillfactor = 80)
    """)
    # R8: one unit each; who was cancelled may buy again.
    op.execute("""
        CREATE UNIQUE INDEX trades_one_live_per_buyer ON trades (product_id, buyer_id)
        WHERE status <> 'CANCELLED'
    """)
    op.execute("CREATE INDEX trades_by_buyer ON trades (buyer_id, id DESC)")
    op.execute("CREATE INDEX trades_by_seller ON trades (seller_id, id DESC)")
    op.execute("""
        CREATE INDEX trades_holds ON trades (hold_expires_at) WHERE status = 'AWAITING_PAYMENT'
    """)
