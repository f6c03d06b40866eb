"""The ledger in PostgreSQL: rows are only ever added, which triggers see to."""

import asyncpg

from market.kit.db import Database

from .domain import Transfer


class SqlTransfers:
    """Transfers, unique by kind and source."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, transfer: Transfer) -> None:
        try:
            await self._db.execute(
                """
                INSERT INTO transfers (kind, source, debit, credit, amount, currency, occurred_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                transfer.kind,
                transfer.source,
                transfer.debit,
                transfer.credit,
                transfer.amount.amount,
                transfer.amount.currency,
                transfer.occurred_at,
            )
        except asyncpg.UniqueViolationError as cause:
            raise RuntimeError(f"{transfer.kind} {transfer.source} is in the books") from cause
