"""Members who sign in through a social provider, and codes that are good once."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # Who comes by a provider may have no address that was verified, and has no password.
    op.execute("""
        ALTER TABLE members
            ALTER COLUMN email DROP NOT NULL,
            ALTER COLUMN password_hash DROP NOT NULL,
            ADD CONSTRAINT members_password_needs_email CHECK (
                password_hash IS NULL OR email IS NOT NULL
            )
    """)
    op.execute("""
        CREATE TABLE social_accounts (
            provider text NOT NULL,
            subject text NOT NULL,
            member_id uuid NOT NULL REFERENCES members,
            linked_at timestamptz NOT NULL,
            PRIMARY KEY (provider, subject),
            CONSTRAINT social_accounts_one_per_provider UNIQUE (member_id, provider),
            CONSTRAINT social_accounts_named CHECK (provider <> '' AND subject <> '')
        )
    """)
    # Ending every session of a member finds them by member.
    op.execute("CREATE INDEX sessions_by_member ON sessions (member_id)")
    op.execute("""
        CREATE TABLE one_time_codes (
            digest bytea PRIMARY KEY,
            content bytea NOT NULL,
            expires_at timestamptz NOT NULL
        )
    """)
