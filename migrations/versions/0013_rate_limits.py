"""Who asked how often."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Unlogged: forgetting it in a crash does no harm, and counting needs no disk.
    op.execute("""
        CREATE UNLOGGED TABLE rate_limits (
            key bytea PRIMARY KEY,
            busy_until timestamptz NOT NULL
        )
    """)
