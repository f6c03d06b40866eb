"""Answers by idempotency key."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE idempotency_keys (
            digest bytea PRIMARY KEY,
            fingerprint bytea NOT NULL,
            claimed_until timestamptz NOT NULL,
            created_at timestamptz NOT NULL,
            answer bytea
        )
    """)
    op.execute("CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)")
