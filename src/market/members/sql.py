"""Members and sessions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from market.kit.concurrency.batching import Batcher
from market.kit.db.database import Database
from market.kit.db.purge import BATCH_SIZE, drop
from market.kit.db.rows import to_record
from market.shared.errors import NotFound
from market.shared.ids import MemberId, SessionId
from market.shared.principals import Principal
from market.shared.text import skeleton

from .domain import AccessClaims, EmailTaken, Member, Session
from .nicknames import NicknameTaken
from .oauth.identity import AlreadyLinked, SocialAccountConflict, SocialIdentity

# Columns by name, never *: a prepared statement must survive a migration that adds a column.
_MEMBER = """
    SELECT id, email, nickname, password_hash, created_at, operator, password_ended_at FROM members
"""
_SESSION = """
    SELECT id, member_id, current_token_id, expires_at, revoked_at, created_at FROM sessions
"""


class SqlMembers:
    """Members by id and by e-mail address."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, member: Member) -> None:
        try:
            await self._db.execute(
                """
                INSERT INTO members (id, email, nickname, nickname_key, password_hash, created_at)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                member.id,
                member.email,
                member.nickname,
                member.nickname_key,
                member.password_hash,
                member.created_at,
            )
        except asyncpg.UniqueViolationError as cause:
            taken = cause.constraint_name == "members_nickname_key"
            raise (NicknameTaken if taken else EmailTaken) from cause

    async def free_nickname(self, proposed: Sequence[str]) -> str:
        keys = {name: skeleton(name) for name in proposed}
        rows = await self._db.fetch(
            "SELECT nickname_key FROM members WHERE nickname_key = ANY ($1::text[])",
            list(keys.values()),
        )
        taken = {row["nickname_key"] for row in rows}
        for name, key in keys.items():
            if key not in taken:
                return name
        raise NicknameTaken

    async def without_nickname_key(self, limit: int) -> Sequence[MemberId]:
        rows = await self._db.fetch(
            "SELECT id FROM members WHERE nickname_key IS NULL ORDER BY id LIMIT $1", limit
        )
        return [row["id"] for row in rows]

    async def rename(self, member: Member) -> None:
        try:
            await self._db.execute(
                "UPDATE members SET nickname = $2, nickname_key = $3 WHERE id = $1",
                member.id,
                member.nickname,
                member.nickname_key,
            )
        except asyncpg.UniqueViolationError as cause:
            raise NicknameTaken from cause

    async def get(self, id: MemberId) -> Member:
        row = await self._db.fetch_one(_MEMBER + "WHERE id = $1", id)
        if row is None:
            raise NotFound
        return to_record(Member, row)

    async def get_for_update(self, id: MemberId) -> Member:
        # safeguard: member row locked by id
        row = await self._db.fetch_one_for_update(_MEMBER + "WHERE id = $1 FOR UPDATE", id)
        if row is None:
            raise NotFound
        return to_record(Member, row)

    async def find_by_email(self, email: str) -> Member | None:
        row = await self._db.fetch_one(_MEMBER + "WHERE email = $1", email)
        return to_record(Member, row) if row else None

    async def find_by_email_for_update(self, email: str) -> Member | None:
        # safeguard: member row locked by email
        row = await self._db.fetch_one_for_update(_MEMBER + "WHERE email = $1 FOR UPDATE", email)
        return to_record(Member, row) if row else None

    async def lock_if_password_unchanged(self, member: Member) -> bool:
        # safeguard: a password unchanged since it was checked
        row = await self._db.fetch_one_for_update(
            "SELECT FROM members WHERE id = $1 AND password_hash = $2 FOR SHARE",
            member.id,
            member.password_hash,
        )
        return row is not None

    async def save(self, member: Member) -> None:
        await self._db.execute(
            """
            UPDATE members SET password_hash = $2, operator = $3, password_ended_at = $4
            WHERE id = $1
            """,
            member.id,
            member.password_hash,
            member.operator,
            member.password_ended_at,
        )


class SqlSocialAccounts:
    """Accounts at social providers, each linked to one member."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find_member(self, provider: str, subject: str) -> MemberId | None:
        id: MemberId | None = await self._db.fetch_value(
            "SELECT member_id FROM social_accounts WHERE provider = $1 AND subject = $2",
            provider,
            subject,
        )
        return id

    async def link(self, identity: SocialIdentity, member: MemberId, now: datetime) -> None:
        try:
            await self._db.execute(
                """
                INSERT INTO social_accounts (provider, subject, member_id, linked_at)
                VALUES ($1, $2, $3, $4)
                """,
                identity.provider,
                identity.subject,
                member,
                now,
            )
        except asyncpg.UniqueViolationError as cause:
            if cause.constraint_name == "social_accounts_one_per_provider":
                raise SocialAccountConflict from cause
            raise AlreadyLinked from cause


class SqlSessions:
    """Sessions, each with its one valid refresh token."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._callers = Batcher[AccessClaims, Principal | None](
            "sessions", self._find_principals, batch_size=200, concurrency=2
        )

    async def add(self, session: Session) -> None:
        await self._db.execute(
            """
            INSERT INTO sessions (id, member_id, current_token_id, expires_at, created_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            session.id,
            session.member_id,
            session.current_token_id,
            session.expires_at,
            session.created_at,
        )

    async def find(self, id: SessionId) -> Session | None:
        row = await self._db.fetch_one(_SESSION + "WHERE id = $1", id)
        return to_record(Session, row) if row else None

    async def find_for_update(self, id: SessionId) -> Session | None:
        # safeguard: session row locked
        row = await self._db.fetch_one_for_update(_SESSION + "WHERE id = $1 FOR UPDATE", id)
        return to_record(Session, row) if row else None

    async def save(self, session: Session) -> None:
        await self._db.execute(
            """
            UPDATE sessions SET current_token_id = $2, expires_at = $3, revoked_at = $4
            WHERE id = $1
            """,
            session.id,
            session.current_token_id,
            session.expires_at,
            session.revoked_at,
        )

    async def revoke_all(self, member: MemberId, now: datetime) -> None:
        await self._db.execute(
            "UPDATE sessions SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL",
            member,
            now,
        )

    async def find_principal(self, claims: AccessClaims) -> Principal | None:
        # Every request reads its session, so concurrent requests share a query. It starts after
        # the last of them arrived: a session that ended before is never found.
        return await self._callers.submit(claims)

    async def _find_principals(self, claims: Sequence[AccessClaims]) -> list[Principal | None]:
        # safeguard: a revoked session's access token refused
        rows = await self._db.fetch(
            """
            SELECT s.id AS session_id, m.id, m.nickname, m.operator
            FROM sessions s
            -- One lookup by key per session, whatever the planner thinks of joining members.
            CROSS JOIN LATERAL (
                SELECT id, nickname, operator FROM members WHERE id = s.member_id LIMIT 1
            ) m
            WHERE s.id = ANY ($1::uuid[]) AND s.revoked_at IS NULL
            """,
            [claim.session_id for claim in claims],
        )
        found = {
            (row["id"], row["session_id"]): Principal(
                row["id"], row["nickname"], row["session_id"], row["operator"]
            )
            for row in rows
        }
        return [found.get((claim.member_id, claim.session_id)) for claim in claims]

    async def purge_expired(self, limit: int = BATCH_SIZE) -> int:
        """Deletes at most `limit` sessions whose last token has expired; returns how many."""
        return await drop(self._db, "sessions", "expires_at < now()", limit)
