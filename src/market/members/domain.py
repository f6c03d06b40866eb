"""A member, the sessions they hold, and the refresh tokens a session hands out one by one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from market.shared.errors import Conflict, Unauthenticated
from market.shared.ids import MemberId, SessionId
from market.shared.people import Person

EMAIL = r"^\s*[^@\s\u0000-\u001f\u007f]+@[^@\s\u0000-\u001f\u007f]+\s*$"
LONGEST_EMAIL = 254
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128
LONGEST_NICKNAME = 30


class EmailTaken(Conflict):
    """A member with this address exists already."""

    code: ClassVar[str] = "email_taken"


class WrongCredentials(Unauthenticated):
    """Address or password is wrong."""

    code: ClassVar[str] = "wrong_credentials"


class TokenInvalid(Unauthenticated):
    """This token is not one of ours, or no longer good."""

    code: ClassVar[str] = "token_invalid"


class TokenExpired(Unauthenticated):
    """This token has expired."""

    code: ClassVar[str] = "token_expired"


class TokenReused(Unauthenticated):
    """This refresh token was used before, so every token of its session is now void."""

    code: ClassVar[str] = "token_reused"


def normal_email(text: str) -> str:
    """One spelling per mailbox, so that nobody signs up twice by changing case."""
    return text.strip().lower()


@dataclass(slots=True)
class Member:
    """Somebody who may list and buy (R1); an `operator` also answers for the money (P8).

    Who came by a social provider has no password, and may have no address.
    """

    id: MemberId
    email: str | None
    nickname: str
    password_hash: str | None
    created_at: datetime
    operator: bool = False

    @property
    def person(self) -> Person:
        return Person(self.id, self.nickname)

    def forget_password(self) -> None:
        """From now on no password opens anything."""
        self.password_hash = None


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says: whose it is, and which session it belongs to."""

    member_id: MemberId
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a refresh token says: which link of which session's chain it is."""

    token_id: str
    session_id: SessionId


@dataclass(slots=True)
class Session:
    """One sign-in: a family of refresh tokens of which only the newest is good (R14).

    Each refresh spends the current token and makes the next. A spent one that comes back means
    that two hold the chain, and nobody can tell which is the thief: the whole family dies.
    """

    id: SessionId
    member_id: MemberId
    current_token_id: str
    expires_at: datetime
    revoked_at: datetime | None = None

    @classmethod
    def begin(
        cls, id: SessionId, member: Member, token_id: str, now: datetime, life: timedelta
    ) -> Self:
        return cls(id, member.id, token_id, now + life)

    def rotate(self, spent: str, fresh: str, now: datetime, life: timedelta) -> None:
        """Spends one token for the next. Raises TokenInvalid, TokenExpired, TokenReused.

        After TokenReused the session is revoked, and that must be committed before it is told.
        """
        if self.revoked_at is not None:
            raise TokenInvalid
        if self.expires_at <= now:
            raise TokenExpired
        if spent != self.current_token_id:
            self.revoke(now)
            raise TokenReused
        self.current_token_id = fresh
        self.expires_at = now + life

    def revoke(self, now: datetime) -> None:
        """Ends it; ending it twice changes nothing."""
        self.revoked_at = self.revoked_at or now
