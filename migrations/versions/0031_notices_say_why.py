"""Notices say how much went back and why, and that a refund was refused."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute("ALTER TABLE notices ADD amount bigint, ADD reason text")
    # Wider than before, so no row can break it: it need not be checked on the spot.
    op.execute("""
        ALTER TABLE notices
            DROP CONSTRAINT notices_kind,
            ADD CONSTRAINT notices_kind CHECK (kind IN (
                'PAID', 'APPROVED', 'CONFIRM_PLEASE', 'CONFIRMED', 'CANCELLED', 'REFUNDED',
                'ACCOUNT_NEEDED', 'REFUND_REFUSED')) NOT VALID
    """)
