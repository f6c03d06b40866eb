"""The meaning of a trade's status and the payment of a transfer, each defined in one place.

Functions of a row, read like columns: `t.is_live`. PostgreSQL inlines them, so they use the partial
indexes that exist and cost nothing. Stored generated columns would rewrite every row under an
exclusive lock; virtual ones need PostgreSQL 18. Transfers can't be updated at all.
"""

from alembic import op

from market.kit.db.migrate import create_index_concurrently

revision = "0036"
down_revision = "0035"

OF_TRADES = {
    "is_live": "$1.status <> 'CANCELLED'",
    "holds_money": "$1.status IN ('PAID', 'SALE_APPROVED')",
    "awaits_payment": "$1.status = 'AWAITING_PAYMENT'",
    "awaits_confirmation": "$1.status = 'SALE_APPROVED' AND $1.cancel_by IS NULL",
}
# A source that names nothing belongs to nothing: `market verify` reports it.
OF_TRANSFERS = {
    "payment_id": """
        CASE WHEN $1.kind IN ('CAPTURED', 'RETURNED') AND $1.source ~ '^[0-9a-f]{32}(:|$)'
             THEN split_part($1.source, ':', 1)::uuid END
    """,
    "trade_id": """
        CASE WHEN $1.kind IN ('SETTLED', 'FEE') AND $1.source ~ '^[0-9a-f]{32}$'
             THEN $1.source::uuid END
    """,
}


def upgrade() -> None:
    for name, meaning in OF_TRADES.items():
        _add("trades", name, "boolean", meaning)
    for name, meaning in OF_TRANSFERS.items():
        _add("transfers", name, "uuid", meaning)
    create_index_concurrently(
        "transfers_refunds_of_payment",
        "transfers (payment_id(transfers.*)) WHERE kind = 'RETURNED'",
    )


def _add(table: str, name: str, type: str, meaning: str) -> None:
    op.execute(f"""
        CREATE OR REPLACE FUNCTION {name}({table}) RETURNS {type}
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {meaning} $$
    """)
