"""The audit log in PostgreSQL; triggers keep it from being rewritten."""

from collections.abc import Sequence

from market.shared.audit import AuditEntry

from .db.database import Database


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
            SELECT id, at, actor, act, subject, reason FROM operator_acts
            WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
            """,
            before,
            limit,
        )
        return [AuditEntry(*row) for row in rows]
