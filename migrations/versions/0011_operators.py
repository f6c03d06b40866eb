"""Who answers for the money, and what they did."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE members ADD COLUMN operator boolean NOT NULL DEFAULT false")
    op.execute("""
        CREATE TABLE operator_acts (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now(),
            actor text NOT NULL,
            act text NOT NULL,
            subject text NOT NULL,
            reason text NOT NULL,
            CONSTRAINT operator_acts_say_why CHECK (reason <> '')
        )
    """)
    op.execute("CREATE INDEX operator_acts_by_subject ON operator_acts (subject, id)")
    op.execute("""
        CREATE FUNCTION refuse_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what operators did is only ever added to'
                USING ERRCODE = 'restrict_violation';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER operator_acts_stand BEFORE UPDATE OR DELETE ON operator_acts
        FOR EACH ROW EXECUTE FUNCTION refuse_to_forget()
    """)
    op.execute("""
        CREATE TRIGGER operator_acts_stay BEFORE TRUNCATE ON operator_acts
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_forget()
    """)
