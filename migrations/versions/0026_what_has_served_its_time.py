"""What has served its time is found without reading what has not."""

from market.kit.db.migrate import create_index_concurrently

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    create_index_concurrently(
        "webhooks_by_age", "webhooks (handled_at) WHERE handled_at IS NOT NULL"
    )
    create_index_concurrently("one_time_codes_by_age", "one_time_codes (expires_at)")
