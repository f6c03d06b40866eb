"""Telling members: notices to read later, and a word to pages that wait."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE notices (
            id uuid PRIMARY KEY DEFAULT uuidv7(),
            member_id uuid NOT NULL REFERENCES members,
            trade_id uuid NOT NULL REFERENCES trades,
            kind text NOT NULL,
            source text NOT NULL,
            created_at timestamptz NOT NULL,
            read_at timestamptz,
            CONSTRAINT notices_kind CHECK (kind IN (
                'PAID', 'APPROVED', 'CONFIRM_PLEASE', 'CONFIRMED', 'CANCELLED', 'REFUNDED',
                'ACCOUNT_NEEDED')),
            CONSTRAINT notices_once UNIQUE (trade_id, member_id, kind, source)
        )
    """)
    op.execute("CREATE INDEX notices_of_member ON notices (member_id, id DESC)")
    op.execute("CREATE INDEX notices_unread ON notices (member_id) WHERE read_at IS NULL")
    # Sent when the transaction commits, and by the database itself: no door to a trade can forget
    # it, and it costs no round trip. Not on INSERT: whoever notifies waits in line to commit, and
    # nobody's page waits yet for a trade that is new, so a rush of buyers is spared that line.
    op.execute("""
        CREATE FUNCTION tell_of_trade() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('trades_changed', replace(to_jsonb(NEW) ->> TG_ARGV[0], '-', ''));
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER trades_tell AFTER UPDATE ON trades
            FOR EACH ROW EXECUTE FUNCTION tell_of_trade('id')
    """)
    op.execute("""
        CREATE TRIGGER payments_tell AFTER UPDATE OF status, cancelled_amount ON payments
            FOR EACH ROW
            WHEN ((OLD.status, OLD.cancelled_amount)
                  IS DISTINCT FROM (NEW.status, NEW.cancelled_amount))
            EXECUTE FUNCTION tell_of_trade('trade_id')
    """)
