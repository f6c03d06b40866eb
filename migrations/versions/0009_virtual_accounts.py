"""Virtual accounts, and the accounts that refunds go to."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE payments
            ADD COLUMN bank text,
            ADD COLUMN account_bank text,
            ADD COLUMN account_number text,
            ADD COLUMN account_holder text,
            ADD COLUMN account_due_at timestamptz,
            DROP CONSTRAINT payments_status,
            ADD CONSTRAINT payments_status CHECK (status IN (
                'READY', 'VIRTUAL_ACCOUNT_ISSUED', 'PAID', 'PARTIALLY_CANCELLED', 'CANCELLED',
                'FAILED', 'EXPIRED'
            )),
            ADD CONSTRAINT payments_account_whole CHECK (
                num_nulls(account_bank, account_number, account_due_at) IN (0, 3)
            ),
            ADD CONSTRAINT payments_account_when_issued CHECK (
                status <> 'VIRTUAL_ACCOUNT_ISSUED' OR account_number IS NOT NULL
            ),
            ADD CONSTRAINT payments_bank_of_an_account CHECK (
                (method = 'VIRTUAL_ACCOUNT') = (bank IS NOT NULL)
            )
    """)
    op.execute("DROP INDEX payments_one_open_per_trade")
    op.execute("""
        CREATE UNIQUE INDEX payments_one_open_per_trade ON payments (trade_id)
        WHERE status IN ('READY', 'VIRTUAL_ACCOUNT_ISSUED')
    """)
    # Sealed, and empty again once the refund is settled.
    op.execute("""
        ALTER TABLE cancellations
            ADD COLUMN refund_account bytea,
            ADD CONSTRAINT cancellations_account_only_while_open CHECK (
                refund_account IS NULL OR status = 'REQUESTED'
            )
    """)
