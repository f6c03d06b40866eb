"""Products and their stock."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # R9 stands twice, here and in products.domain: here so that it can be searched by, and can't
    # disagree with the counts. A test walks both through every small combination.
    op.execute("""
        CREATE TABLE products (
            id uuid PRIMARY KEY,
            seller_id uuid NOT NULL REFERENCES members,
            name text NOT NULL,
            description text NOT NULL,
            price bigint NOT NULL,
            currency text NOT NULL,
            quantity integer NOT NULL,
            taken integer NOT NULL DEFAULT 0,
            confirmed integer NOT NULL DEFAULT 0,
            version bigint NOT NULL DEFAULT 0,
            created_at timestamptz NOT NULL,
            status text NOT NULL GENERATED ALWAYS AS (
                CASE WHEN taken < quantity THEN 'ON_SALE'
                     WHEN confirmed < quantity THEN 'RESERVED'
                     ELSE 'COMPLETED' END
            ) STORED,
            CONSTRAINT products_price_positive CHECK (price > 0),
            CONSTRAINT products_quantity_positive CHECK (quantity > 0),
            CONSTRAINT products_stock CHECK (
                0 <= confirmed AND confirmed <= taken AND taken <= quantity
            )
        ) WITH (fillfactor = 80)
    """)
    op.execute("CREATE INDEX products_by_status ON products (status, id DESC)")
    op.execute("CREATE INDEX products_by_seller ON products (seller_id, id DESC)")
