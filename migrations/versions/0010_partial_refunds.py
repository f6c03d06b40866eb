"""What went back of a trade's price, and whether more is on its way."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE trades
            ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
            ADD COLUMN refunding boolean NOT NULL DEFAULT false,
            ADD CONSTRAINT trades_refunded_within_price CHECK (0 <= refunded AND refunded <= price)
    """)
