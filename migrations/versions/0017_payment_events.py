"""What payments went through, and the indexes by which operators look for them."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE payment_events (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            payment_id uuid NOT NULL REFERENCES payments,
            at timestamptz NOT NULL DEFAULT now(),
            what text NOT NULL,
            status_before text,
            status_after text NOT NULL,
            amount bigint,
            door text,
            state text,
            captured bigint,
            returned bigint,
            deposited bigint,
            currency text,
            reference text,
            note text,
            CONSTRAINT payment_events_what CHECK (what IN (
                'ASKED', 'REGISTERED', 'LOOKED', 'EXPIRED', 'REFUND_TRIED', 'REFUND_REFUSED',
                'ACCOUNT_NAMED'
            )),
            CONSTRAINT payment_events_door CHECK (door IN (
                'BUYER', 'WEBHOOK', 'SWEEP', 'REFUND', 'COMPARISON', 'OPERATOR'
            )),
            CONSTRAINT payment_events_look_by_a_door CHECK ((what = 'LOOKED') = (door IS NOT NULL)),
            CONSTRAINT payment_events_record_whole CHECK (
                num_nulls(state, captured, returned, currency, reference) IN (0, 5)
            )
        )
    """)
    op.execute("CREATE INDEX payment_events_of_payment ON payment_events (payment_id, id)")
    # Beginning to pay is safe to repeat, and tells the gateway again each time: that is no news.
    op.execute("""
        CREATE UNIQUE INDEX payment_events_registered_once ON payment_events (payment_id)
        WHERE what = 'REGISTERED'
    """)
    op.execute("""
        CREATE FUNCTION refuse_to_change_history() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the history of payments is only ever added to'
                USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER payment_events_stand BEFORE UPDATE OR DELETE ON payment_events
        FOR EACH ROW EXECUTE FUNCTION refuse_to_change_history()
    """)
    op.execute("""
        CREATE TRIGGER payment_events_stay BEFORE TRUNCATE ON payment_events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history()
    """)

    # One payment's webhooks, cancellations and refunds in the books, for its page in the console.
    op.execute("""
        CREATE INDEX webhooks_by_payment ON webhooks (payment_id) WHERE payment_id IS NOT NULL
    """)
    op.execute("CREATE INDEX cancellations_by_payment ON cancellations (payment_id)")
    op.execute("""
        CREATE INDEX transfers_returned_of ON transfers (split_part(source, ':', 1))
        WHERE kind = 'RETURNED'
    """)
    # What operators work through: small, whatever is done lies outside.
    op.execute("""
        CREATE INDEX cancellations_unfinished ON cancellations (status, created_at, id)
        WHERE status <> 'SUCCEEDED'
    """)
    op.execute("CREATE INDEX payments_by_status ON payments (status, id DESC)")
    # Members are found by any part of a nickname or an address.
    op.execute("""
        CREATE INDEX members_by_part ON members
        USING gin (lower(nickname) gin_trgm_ops, email gin_trgm_ops)
    """)
