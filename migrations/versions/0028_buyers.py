"""What a payment company is told of a buyer: encrypted, and only until their payment is begun."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute("ALTER TABLE payments ADD COLUMN buyer bytea")
    # Personal data goes when it has served its purpose, whoever writes the row. Valid at once for
    # rows that are there: none has a buyer.
    op.execute("""
        ALTER TABLE payments
            ADD CONSTRAINT payments_buyer_while_ready CHECK (buyer IS NULL OR status = 'READY')
            NOT VALID
    """)
    op.execute("ALTER TABLE payments VALIDATE CONSTRAINT payments_buyer_while_ready")
