"""The audit log in PostgreSQL; triggers keep it from being rewritten."""

from collections.abc import Sequence

from market.shared.audit import AuditEntry

from .db.database import Database
from .db.rows import to_record


class SqlAudit:
    """What operators did, the newest first."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def record(self, actor: str, act: str, subject: str, reason: str) -> None:
        await self._db.execute(
            "INSERT INTO operator_acts (actor, act, subject, reason) VALUES ($1, $2, $3, $4)",
            actor,
            act,
            subject,
            reason,
        )

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        rows = await self._db.fetch(
            """
            SELECT a.id, a.at, a.actor, a.act, a.subject, a.subject_type, a.subject_id, a.reason
            FROM operator_acts a
            WHERE $1::bigint IS NULL OR a.id < $1 ORDER BY a.id DESC LIMIT $2
            """,
            before,
            limit,
        )
        return [to_record(AuditEntry, row) for row in rows]
