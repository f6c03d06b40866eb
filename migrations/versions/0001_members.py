"""Members and their sessions."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE members (
            id uuid PRIMARY KEY,
            email text NOT NULL,
            nickname text NOT NULL,
            password_hash text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT members_email_key UNIQUE (email),
            CONSTRAINT members_email_in_lower_case CHECK (email = lower(email))
        )
    """)
    # A session is a family of refresh tokens; only the current one is good.
    op.execute("""
        CREATE TABLE sessions (
            id uuid PRIMARY KEY,
            member_id uuid NOT NULL REFERENCES members,
            current_token_id uuid NOT NULL,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz
        )
    """)
    op.execute("CREATE INDEX sessions_expires_at ON sessions (expires_at)")
