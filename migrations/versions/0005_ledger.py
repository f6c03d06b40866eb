"""The ledger: transfers, only ever added."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE transfers (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            kind text NOT NULL,
            source text NOT NULL,
            debit text NOT NULL,
            credit text NOT NULL,
            amount bigint NOT NULL,
            currency text NOT NULL,
            occurred_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT transfers_kind CHECK (kind IN ('CAPTURED', 'RETURNED', 'SETTLED', 'FEE')),
            CONSTRAINT transfers_amount_positive CHECK (amount > 0),
            CONSTRAINT transfers_between_two CHECK (debit <> credit),
            CONSTRAINT transfers_once UNIQUE (kind, source)
        )
    """)
    op.execute("""
        CREATE FUNCTION refuse_to_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the ledger is only ever added to' USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER transfers_stand BEFORE UPDATE OR DELETE ON transfers
        FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite()
    """)
    op.execute("""
        CREATE TRIGGER transfers_stay BEFORE TRUNCATE ON transfers
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite()
    """)
    op.execute("""
        CREATE VIEW balances AS
        SELECT account, currency, sum(amount)::bigint AS balance
        FROM (SELECT credit AS account, currency, amount FROM transfers
              UNION ALL SELECT debit, currency, -amount FROM transfers) AS entries
        GROUP BY account, currency
    """)
