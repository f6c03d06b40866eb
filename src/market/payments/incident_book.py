"""Incidents in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from market.kit.db.database import Database, Row
from market.shared.errors import NotFound

from .domain import Payment
from .incident import BY_ITSELF, Incident, Settlement

# By name, never *: a statement prepared before a migration added a column works after it.
_SELECT = """
    SELECT id, kind, subject, payment_id, trade_id, seen, created_at, settled_at, settled_by,
           settlement
    FROM incidents
"""


class SqlIncidents:
    """What operators must know of, unique by kind and subject."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def report(
        self,
        kind: str,
        payment: Payment | None,
        seen: Mapping[str, Any],
        subject: str | None = None,
    ) -> bool:
        about = subject or (payment.id if payment else None)
        if about is None:
            raise ValueError("an incident is about something")
        added = await self._db.execute(
            """
            INSERT INTO incidents (kind, subject, payment_id, trade_id, seen)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (kind, subject) DO NOTHING
            """,
            kind,
            about,
            payment.id if payment else None,
            payment.trade_id if payment else None,
            msgspec.json.encode(seen).decode(),
        )
        return added == 1

    async def resolve(self, kind: str, subject: str, how: str, now: datetime) -> None:
        await self._db.execute(
            """
            UPDATE incidents SET settled_at = $4, settled_by = $5, settlement = $3
            WHERE kind = $1 AND subject = $2 AND settled_at IS NULL
            """,
            kind,
            subject,
            how,
            now,
            BY_ITSELF,
        )

    async def get_for_update(self, id: int) -> Incident:
        # safeguard: incident row locked
        row = await self._db.fetch_one_for_update(_SELECT + "WHERE id = $1 FOR UPDATE", id)
        if row is None:
            raise NotFound
        return _incident(row)

    async def list(self, after: int, limit: int, *, settled_too: bool) -> Sequence[Incident]:
        rows = await self._db.fetch(
            _SELECT
            + """
            WHERE id > $1 AND ($2 OR settled_at IS NULL)
            ORDER BY id LIMIT $3
            """,
            after,
            settled_too,
            limit,
        )
        return [_incident(row) for row in rows]

    async def save(self, incident: Incident) -> None:
        end = incident.settlement
        await self._db.execute(
            "UPDATE incidents SET settled_at = $2, settled_by = $3, settlement = $4 WHERE id = $1",
            incident.id,
            end.at if end else None,
            end.by if end else None,
            end.how if end else None,
        )


def _incident(row: Row) -> Incident:
    at = row["settled_at"]
    return Incident(
        id=row["id"],
        kind=row["kind"],
        subject=row["subject"],
        seen=msgspec.json.decode(row["seen"]),
        reported_at=row["created_at"],
        payment_id=row["payment_id"],
        trade_id=row["trade_id"],
        settlement=Settlement(at, row["settled_by"], row["settlement"]) if at else None,
    )
