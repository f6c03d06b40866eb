"""A seller's edits of a product are counted apart from its version, which every purchase bumps:
an edit is refused when another came between, not when somebody bought."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE products ADD revision integer NOT NULL DEFAULT 0")
