"""Notifications in PostgreSQL, in the table `notices`."""

from collections.abc import Sequence
from datetime import datetime

from market.kit.db.database import Database
from market.kit.db.rows import to_record
from market.shared.ids import MemberId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest

from .domain import Notification


class SqlNotifications:
    """Notifications by member, each with its trade's product name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self,
        member: MemberId,
        trade_id: TradeId,
        kind: NotificationKind,
        source: str,
        now: datetime,
        amount: int | None,
        reason: str | None,
    ) -> None:
        await self._db.execute(
            """
            INSERT INTO notices (member_id, trade_id, kind, source, created_at, amount, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT ON CONSTRAINT notices_once DO NOTHING
            """,
            member,
            trade_id,
            kind,
            source,
            now,
            amount,
            reason,
        )

    async def page(self, member: MemberId, wanted: PageRequest) -> Page[Notification]:
        rows = await self._db.fetch(
            """
            SELECT n.id, n.trade_id, n.kind, n.created_at, n.read_at, n.amount, n.reason,
                   t.product_name,
                   t.buyer_id = n.member_id AS buying
            FROM notices n JOIN trades t ON t.id = n.trade_id
            WHERE n.member_id = $1 AND ($2::uuid IS NULL OR n.id < $2)
            ORDER BY n.id DESC LIMIT $3
            """,
            member,
            wanted.cursor,
            wanted.limit + 1,
        )
        return Page.from_rows(
            [to_record(Notification, row) for row in rows], wanted, lambda notice: notice.id
        )

    async def unread(self, member: MemberId) -> int:
        count: int = await self._db.fetch_value(
            "SELECT count(*) FROM notices WHERE member_id = $1 AND read_at IS NULL", member
        )
        return count

    async def mark_read(self, member: MemberId, until: str, now: datetime) -> None:
        await self._db.execute(
            """
            UPDATE notices SET read_at = $3
            WHERE member_id = $1 AND id <= $2 AND read_at IS NULL
            """,
            member,
            until,
            now,
        )

    async def open(self, member: MemberId, id: str, now: datetime) -> TradeId | None:
        trade_id: TradeId | None = await self._db.fetch_value(
            """
            WITH opened AS (SELECT trade_id FROM notices WHERE id = $2 AND member_id = $1),
            marked AS (
                UPDATE notices n SET read_at = $3 FROM opened
                WHERE n.trade_id = opened.trade_id AND n.member_id = $1
                  AND n.id <= $2 AND n.read_at IS NULL)
            SELECT trade_id FROM opened
            """,
            member,
            id,
            now,
        )
        return trade_id

    async def unconfirmed(
        self, approved_before: datetime, limit: int
    ) -> Sequence[tuple[TradeId, MemberId]]:
        rows = await self._db.fetch(
            """
            SELECT id, buyer_id FROM trades t
            WHERE t.awaits_confirmation AND approved_at <= $1
              AND NOT EXISTS (SELECT FROM notices n
                              WHERE n.trade_id = t.id AND n.kind = 'CONFIRM_PLEASE')
            ORDER BY approved_at LIMIT $2
            """,
            approved_before,
            limit,
        )
        return [(row["id"], row["buyer_id"]) for row in rows]
