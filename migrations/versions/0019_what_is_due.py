"""What is due is found without reading what is done: webhooks that wait among a month of handled
ones, approved trades that their buyers have not confirmed among all there ever were."""

from market.kit.migrate import index_beside_the_trade

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    index_beside_the_trade("webhooks_unhandled", "webhooks (id) WHERE handled_at IS NULL")
    index_beside_the_trade(
        "trades_to_confirm", "trades (approved_at) WHERE status = 'SALE_APPROVED'"
    )
