"""Money that is still there is looked at every day, however old."""

from alembic import op

from market.kit.db.migrate import create_index_concurrently

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    # Again, should the index after it be broken off.
    op.execute("ALTER TABLE payments ADD COLUMN IF NOT EXISTS checked_at timestamptz")
    create_index_concurrently(
        "payments_to_check",
        "payments (coalesce(checked_at, created_at)) WHERE captured_amount > cancelled_amount",
    )
