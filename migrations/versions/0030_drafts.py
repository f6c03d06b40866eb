"""Forms of a product that could not be saved yet, with their photos, for a day."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE drafts (
            id uuid PRIMARY KEY,
            member_id uuid NOT NULL REFERENCES members,
            fields bytea NOT NULL,
            created_at timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX drafts_of_member ON drafts (member_id, id DESC)")
    op.execute("CREATE INDEX drafts_by_age ON drafts (created_at)")
    op.execute("""
        CREATE TABLE draft_photos (
            draft_id uuid NOT NULL REFERENCES drafts ON DELETE CASCADE,
            place integer NOT NULL,
            width integer NOT NULL,
            height integer NOT NULL,
            full_size bytea NOT NULL,
            small bytea NOT NULL,
            PRIMARY KEY (draft_id, place),
            CONSTRAINT draft_photos_place CHECK (place BETWEEN 1 AND 5)
        )
    """)
    # JPEGs are compressed already.
    op.execute("""
        ALTER TABLE draft_photos
            ALTER COLUMN full_size SET STORAGE EXTERNAL,
            ALTER COLUMN small SET STORAGE EXTERNAL
    """)
