"""Drafts in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.kit.db.database import Database
from market.kit.db.purge import drop
from market.shared.errors import NotFound
from market.shared.ids import MemberId

from .domain import Draft
from .ports import ProcessedImage


class SqlDrafts:
    """Drafts and their photos."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, draft: Draft, member: MemberId, pictures: Sequence[ProcessedImage], now: datetime
    ) -> None:
        await self._db.execute(
            "INSERT INTO drafts (id, member_id, fields, created_at) VALUES ($1, $2, $3, $4)",
            draft.id,
            member,
            msgspec.json.encode(dict(draft.fields)),
            now,
        )
        for place, picture in zip(draft.places, pictures, strict=True):
            await self._db.execute(
                """
                INSERT INTO draft_photos (draft_id, place, width, height, full_size, small)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                draft.id,
                place,
                picture.width,
                picture.height,
                picture.full,
                picture.small,
            )

    async def keep_newest(self, member: MemberId, count: int) -> None:
        await self._db.execute(
            """
            DELETE FROM drafts WHERE member_id = $1 AND id NOT IN (
                SELECT id FROM drafts WHERE member_id = $1 ORDER BY id DESC LIMIT $2)
            """,
            member,
            count,
        )

    async def find(self, member: MemberId, id: str, since: datetime) -> Draft | None:
        row = await self._db.fetch_one(
            """
            SELECT fields, ARRAY(SELECT place FROM draft_photos p
                                       WHERE p.draft_id = d.id ORDER BY place) AS places
            FROM drafts d WHERE id = $1 AND member_id = $2 AND created_at > $3
            """,
            id,
            member,
            since,
        )
        if row is None:
            return None
        return Draft(id, msgspec.json.decode(row["fields"], type=dict[str, str]), row["places"])

    async def pictures(self, id: str, places: Sequence[int]) -> Sequence[ProcessedImage]:
        rows = await self._db.fetch(
            """
            SELECT width, height, full_size, small FROM draft_photos
            WHERE draft_id = $1 AND place = ANY ($2::int[]) ORDER BY place
            """,
            id,
            list(places),
        )
        return [ProcessedImage(*row.values()) for row in rows]

    async def small_photo(self, member: MemberId, id: str, place: int) -> bytes:
        photo: bytes | None = await self._db.fetch_value(
            """
            SELECT p.small FROM draft_photos p JOIN drafts d ON d.id = p.draft_id
            WHERE d.id = $1 AND d.member_id = $2 AND p.place = $3
            """,
            id,
            member,
            place,
        )
        if photo is None:
            raise NotFound
        return photo

    async def purge(self, until: datetime, limit: int) -> int:
        return await drop(self._db, "drafts", "created_at <= $1", limit, until)
