"""Since when a member has no password any more, to be told; and when a session began."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("ALTER TABLE members ADD COLUMN password_ended_at timestamptz")
    # Of older sessions nobody knows: they are never taken for new ones.
    op.execute("ALTER TABLE sessions ADD COLUMN created_at timestamptz")
