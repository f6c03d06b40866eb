"""Payments, their cancellations, the inbox of webhooks, and incidents."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE payments (
            id uuid PRIMARY KEY,
            trade_id uuid NOT NULL REFERENCES trades,
            payer_id uuid NOT NULL REFERENCES members,
            title text NOT NULL,
            gateway text NOT NULL,
            method text NOT NULL,
            amount bigint NOT NULL,
            currency text NOT NULL,
            status text NOT NULL,
            captured_amount bigint,
            captured_currency text,
            cancelled_amount bigint NOT NULL DEFAULT 0,
            reference text,
            paid_at timestamptz,
            failure text,
            look_at timestamptz,
            created_at timestamptz NOT NULL,
            version bigint NOT NULL DEFAULT 0,
            CONSTRAINT payments_gateway CHECK (gateway IN ('V1', 'V2')),
            CONSTRAINT payments_method CHECK (method IN ('CARD', 'VIRTUAL_ACCOUNT')),
            CONSTRAINT payments_status CHECK (status IN (
                'READY', 'PAID', 'PARTIALLY_CANCELLED', 'CANCELLED', 'FAILED', 'EXPIRED'
            )),
            CONSTRAINT payments_amount_positive CHECK (amount > 0),
            CONSTRAINT payments_cancelled_within_captured CHECK (
                0 <= cancelled_amount AND cancelled_amount <= coalesce(captured_amount, 0)
            ),
            CONSTRAINT payments_captured_when_paid CHECK (
                (status IN ('PAID', 'PARTIALLY_CANCELLED', 'CANCELLED'))
                = (captured_amount IS NOT NULL)
            ),
            CONSTRAINT payments_reference_key UNIQUE (gateway, reference)
        ) WITH (fillfactor = 80)
    """)
    # One unpaid payment per trade at a time.
    op.execute("""
        CREATE UNIQUE INDEX payments_one_open_per_trade ON payments (trade_id)
        WHERE status = 'READY'
    """)
    op.execute("CREATE INDEX payments_by_trade ON payments (trade_id, id DESC)")
    op.execute("CREATE INDEX payments_to_look_at ON payments (look_at) WHERE look_at IS NOT NULL")
    op.execute("ALTER TABLE trades ADD FOREIGN KEY (payment_id) REFERENCES payments")

    op.execute("""
        CREATE TABLE cancellations (
            id uuid PRIMARY KEY,
            payment_id uuid NOT NULL REFERENCES payments,
            amount bigint NOT NULL,
            balance bigint NOT NULL,
            reason text NOT NULL,
            asked_by text NOT NULL,
            status text NOT NULL,
            tries integer NOT NULL DEFAULT 0,
            try_at timestamptz,
            created_at timestamptz NOT NULL,
            settled_at timestamptz,
            failure text,
            CONSTRAINT cancellations_status CHECK (status IN ('REQUESTED', 'SUCCEEDED', 'FAILED')),
            CONSTRAINT cancellations_within_balance CHECK (0 < amount AND amount <= balance)
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX cancellations_one_open_per_payment ON cancellations (payment_id)
        WHERE status = 'REQUESTED'
    """)
    op.execute("CREATE INDEX cancellations_due ON cancellations (try_at) WHERE try_at IS NOT NULL")

    op.execute("""
        CREATE TABLE webhooks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            gateway text NOT NULL,
            payment_id uuid,
            body text NOT NULL,
            received_at timestamptz NOT NULL DEFAULT now(),
            tries integer NOT NULL DEFAULT 0,
            try_at timestamptz NOT NULL,
            handled_at timestamptz
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX webhooks_waiting ON webhooks (gateway, coalesce(payment_id::text, body))
        WHERE handled_at IS NULL AND tries = 0
    """)

    op.execute("""
        CREATE TABLE incidents (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            kind text NOT NULL,
            payment_id uuid NOT NULL REFERENCES payments,
            trade_id uuid NOT NULL REFERENCES trades,
            seen jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT incidents_once UNIQUE (kind, payment_id)
        )
    """)
