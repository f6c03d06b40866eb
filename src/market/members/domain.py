"""Members, their sessions, and the refresh tokens of a session."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from market.shared.errors import Conflict, Forbidden, Unauthenticated
from market.shared.ids import MemberId, SessionId
from market.shared.principals import MemberSummary
from market.shared.text import BIDI, mailbox, skeleton

# As typed, before normalization: the @ may be full-width or small.
_IN_ADDRESS = rf"[^@\uff20\ufe6b\s\u0000-\u001f\u007f-\u009f{BIDI}]+"
EMAIL = rf"^\s*{_IN_ADDRESS}[@\uff20\ufe6b]{_IN_ADDRESS}\s*$"
EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 128
# A sign-in this recent counts as proof of identity.
STEP_UP_WINDOW = timedelta(minutes=10)


class EmailTaken(Conflict):
    code: ClassVar[str] = "email_taken"
    message: ClassVar[str] = "A member with this email address exists already."


class WrongCredentials(Unauthenticated):
    code: ClassVar[str] = "wrong_credentials"
    message: ClassVar[str] = "Incorrect email address or password."


class PasswordSet(Conflict):
    code: ClassVar[str] = "password_set"
    message: ClassVar[str] = (
        "The member has a password already, or no email address to use one with."
    )


class StepUpNeeded(Forbidden):
    code: ClassVar[str] = "step_up_needed"
    message: ClassVar[str] = "This needs a sign-in within the last ten minutes. Sign in again."


class TokenInvalid(Unauthenticated):
    code: ClassVar[str] = "token_invalid"
    message: ClassVar[str] = "This token is invalid or revoked."


class TokenExpired(Unauthenticated):
    code: ClassVar[str] = "token_expired"
    message: ClassVar[str] = "This token has expired."


class TokenReused(Unauthenticated):
    code: ClassVar[str] = "token_reused"
    message: ClassVar[str] = (
        "This refresh token was used before, so every token of its session is revoked. "
        "Sign in again."
    )


def normal_email(text: str) -> str:
    """Normalizes an address: spellings that differ in case, width or invisible characters are one
    account (A7)."""
    return mailbox(text)


def is_email(text: str) -> bool:
    """Whether this is a normalized address."""
    return len(text) <= EMAIL_LENGTH_MAX and re.fullmatch(EMAIL, text) is not None


@dataclass(slots=True)
class Member:
    """A member may list and buy (R1); an `operator` also handles refunds and incidents (P8).

    A member who signed up through a social provider has no password and may have no address.
    """

    id: MemberId
    email: str | None
    nickname: str
    password_hash: str | None
    created_at: datetime
    operator: bool = False
    password_ended_at: datetime | None = None

    @property
    def nickname_key(self) -> str:
        """The nickname's visual form; unique among members (A6)."""
        return skeleton(self.nickname)

    @property
    def person(self) -> MemberSummary:
        return MemberSummary(self.id, self.nickname)

    def remove_password(self, now: datetime) -> None:
        """Removes the password; the member is told at their next sign-in."""
        self.password_hash = None
        self.password_ended_at = now

    @property
    def may_choose_password(self) -> bool:
        """Whether the member has no password, and an address to use one with."""
        return self.password_hash is None and self.email is not None

    def choose_password(self, password_hash: str) -> None:
        """Sets the first password. Raises PasswordSet."""
        if not self.may_choose_password:
            raise PasswordSet
        self.password_hash = password_hash
        self.password_ended_at = None


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token: its member and its session."""

    member_id: MemberId
    session_id: SessionId


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """The claims of a refresh token: its own id and its session."""

    token_id: str
    session_id: SessionId


@dataclass(slots=True)
class Session:
    """One sign-in: a family of refresh tokens of which only the newest is valid (R14).

    Each refresh replaces the current token. A replaced token that is used again means that two
    parties hold the family, one of them a thief: the session is revoked.
    """

    id: SessionId
    member_id: MemberId
    current_token_id: str
    expires_at: datetime
    revoked_at: datetime | None = None
    created_at: datetime | None = None

    @classmethod
    def begin(
        cls, id: SessionId, member: Member, token_id: str, now: datetime, life: timedelta
    ) -> Self:
        return cls(id, member.id, token_id, now + life, created_at=now)

    def is_fresh(self, now: datetime) -> bool:
        """Whether its member signed in within `STEP_UP_WINDOW`."""
        return self.created_at is not None and now - self.created_at <= STEP_UP_WINDOW

    def ended_before(self, moment: datetime) -> bool:
        """Whether it was revoked or expired before `moment`."""
        return min(self.revoked_at or self.expires_at, self.expires_at) < moment

    def rotate(self, spent: str, fresh: str, now: datetime, life: timedelta) -> None:
        """Replaces the token. Raises TokenInvalid, TokenExpired, TokenReused.

        TokenReused revokes the session: commit that before reporting the error.
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
        """Ends the session; a repeat changes nothing."""
        self.revoked_at = self.revoked_at or now
