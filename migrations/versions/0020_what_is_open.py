"""What `market reconcile` looks at is found without reading what is done, and in the order of ids,
which stands still while it is looked at."""

from market.kit.migrate import index_beside_the_trade

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    index_beside_the_trade("payments_unfinished", "payments (id) WHERE look_at IS NOT NULL")
    index_beside_the_trade(
        "trades_with_money", "trades (payment_id) WHERE status IN ('PAID', 'SALE_APPROVED')"
    )
