"""Search by any part of a name: trigrams, so that a part of a Korean word finds it."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(
        "CREATE INDEX products_by_part_of_name ON products USING gin (lower(name) gin_trgm_ops)"
    )
