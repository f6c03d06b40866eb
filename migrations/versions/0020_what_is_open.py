"""What `market reconcile` looks at is found without reading what is done, and in the order of ids,
which stands still while it is looked at."""

from market.kit.db.migrate import create_index_concurrently

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    create_index_concurrently("payments_unfinished", "payments (id) WHERE look_at IS NOT NULL")
    create_index_concurrently(
        "trades_with_money", "trades (payment_id) WHERE status IN ('PAID', 'SALE_APPROVED')"
    )
