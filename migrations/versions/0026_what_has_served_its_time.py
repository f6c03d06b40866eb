"""What has served its time is found without reading what has not."""

from market.kit.migrate import index_beside_the_trade

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    index_beside_the_trade("webhooks_by_age", "webhooks (handled_at) WHERE handled_at IS NOT NULL")
    index_beside_the_trade("one_time_codes_by_age", "one_time_codes (expires_at)")
