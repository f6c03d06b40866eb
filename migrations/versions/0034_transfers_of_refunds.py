"""How far a bank has come with a refund to its buyer's account, which is kept until then."""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE payments
            ADD COLUMN transfer text,
            ADD CONSTRAINT payments_transfer
                CHECK (transfer IN ('PENDING', 'COMPLETED', 'FAILED')) NOT VALID
    """)
    # Wider than before, so no row can break it: it need not be checked on the spot.
    op.execute("""
        ALTER TABLE cancellations
            DROP CONSTRAINT cancellations_account_only_while_open,
            ADD CONSTRAINT cancellations_account_only_while_open CHECK (
                refund_account IS NULL OR status <> 'FAILED') NOT VALID
    """)
