"""Photos of products, already as small as they are shown."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE photos (
            id uuid PRIMARY KEY,
            product_id uuid NOT NULL REFERENCES products,
            position integer NOT NULL,
            width integer NOT NULL,
            height integer NOT NULL,
            full_size bytea NOT NULL,
            small bytea NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT photos_position CHECK (position BETWEEN 1 AND 5),
            CONSTRAINT photos_place UNIQUE (product_id, position),
            CONSTRAINT photos_size CHECK (width BETWEEN 1 AND 1280 AND height BETWEEN 1 AND 1280)
        )
    """)
    # JPEGs are compressed already: trying again costs time and saves nothing.
    op.execute("""
        ALTER TABLE photos
            ALTER COLUMN full_size SET STORAGE EXTERNAL,
            ALTER COLUMN small SET STORAGE EXTERNAL
    """)
