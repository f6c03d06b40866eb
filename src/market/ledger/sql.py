"""The ledger in PostgreSQL: append-only, enforced by triggers."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from market.kit.db.database import Database
from market.kit.db.rows import to_record
from market.shared.errors import Invalid
from market.shared.pagination import Page, PageRequest

from .domain import Balance, Line, Statement, Transfer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Few enough digits that neither a datetime nor a bigint can overflow.
_PLACE = re.compile(r"(-?[0-9]{1,16})\.([0-9]{1,18})", re.ASCII)


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

    async def statement(
        self,
        account: str,
        currency: str,
        since: datetime | None,
        until: datetime | None,
        wanted: PageRequest,
    ) -> Statement:
        after = _position(wanted.cursor) if wanted.cursor else None
        # One statement, one snapshot: read apart, the balances and the lines between them could
        # disagree. The left join keeps the balances of a time in which nothing happened.
        rows = await self._db.fetch(
            """
            WITH entries AS (
                SELECT id, occurred_at, recorded_at, kind, source, debit AS counter, amount
                FROM transfers WHERE credit = $1 AND currency = $2
                UNION ALL
                SELECT id, occurred_at, recorded_at, kind, source, credit, -amount
                FROM transfers WHERE debit = $1 AND currency = $2
            ), before AS (
                SELECT coalesce(sum(amount) FILTER (WHERE occurred_at < $3), 0)::bigint AS opening,
                       coalesce(sum(amount), 0)::bigint AS closing
                FROM entries WHERE $4::timestamptz IS NULL OR occurred_at < $4
            ), page AS (
                SELECT * FROM entries
                WHERE ($3::timestamptz IS NULL OR occurred_at >= $3)
                  AND ($4::timestamptz IS NULL OR occurred_at < $4)
                  AND ($5::timestamptz IS NULL OR (occurred_at, id) > ($5, $6))
                ORDER BY occurred_at, id LIMIT $7
            )
            SELECT before.opening, before.closing, page.id, page.occurred_at, page.recorded_at,
                   page.kind, page.source, page.counter AS counter_account, page.amount
            FROM before LEFT JOIN page ON true ORDER BY page.occurred_at, page.id
            """,
            account,
            currency,
            since,
            until,
            after[0] if after else None,
            after[1] if after else None,
            wanted.limit + 1,
        )
        lines = [to_record(Line, row) for row in rows if row["id"] is not None]
        page = Page.from_rows(lines, wanted, _cursor)
        # safeguard: a statement's lines and balances read in one snapshot
        opening, closing = rows[0]["opening"], rows[0]["closing"]
        return Statement(account, currency, opening, page.items, closing, page.next_cursor)

    async def balances(self) -> Sequence[Balance]:
        rows = await self._db.fetch(
            "SELECT account, currency, balance AS amount FROM balances ORDER BY account, currency"
        )
        return [to_record(Balance, row) for row in rows]


def _cursor(line: Line) -> str:
    """A line's place: whole microseconds since 1970, as PostgreSQL keeps them, and its id."""
    return f"{(line.occurred_at - _EPOCH) // _MICROSECOND}.{line.id}"


def _position(cursor: str) -> tuple[datetime, int]:
    place = _PLACE.fullmatch(cursor)
    if place is None:
        raise Invalid("This cursor is not one of ours.")
    return _EPOCH + int(place[1]) * _MICROSECOND, int(place[2])
