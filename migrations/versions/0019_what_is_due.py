"""What is due is found without reading what is done: webhooks that wait among a month of handled
ones, approved trades that their buyers have not confirmed among all there ever were."""

from market.kit.db.migrate import create_index_concurrently

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    create_index_concurrently("webhooks_unhandled", "webhooks (id) WHERE handled_at IS NULL")
    create_index_concurrently(
        "trades_to_confirm", "trades (approved_at) WHERE status = 'SALE_APPROVED'"
    )
