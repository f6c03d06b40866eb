"""The part that a refund's request named: a rebalanced refund's amount is another by then, and what
was asked for decides whether a request that comes again is the same."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("ALTER TABLE cancellations ADD asked_amount bigint")
