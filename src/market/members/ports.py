"""Ports of the members module."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from market.shared.ids import MemberId, SessionId
from market.shared.principals import Principal
from market.shared.rate_limit import RateLimit

from .domain import AccessClaims, Member, RefreshClaims, Session
from .oauth.identity import FlowSecrets, SocialIdentity


class Members(Protocol):
    """Stores members."""

    async def add(self, member: Member) -> None:
        """Raises EmailTaken, NicknameTaken."""
        ...

    async def free_nickname(self, proposed: Sequence[str]) -> str:
        """The first of these that no member's nickname looks like. It is not reserved: `add` may
        still raise NicknameTaken. Raises NicknameTaken when none is free."""
        ...

    async def get(self, id: MemberId) -> Member:
        """Raises NotFound."""
        ...

    async def without_nickname_key(self, limit: int) -> Sequence[MemberId]:
        """Members added by an older release, oldest first."""
        ...

    async def rename(self, member: Member) -> None:
        """Stores a member's nickname. Raises NicknameTaken."""
        ...

    async def get_for_update(self, id: MemberId) -> Member:
        """Locks the row, so that a password is not set and removed at the same time. Raises
        NotFound."""
        ...

    async def find_by_email(self, email: str) -> Member | None: ...

    async def find_by_email_for_update(self, email: str) -> Member | None:
        """Locks the row, so that a password is not removed and changed at the same time."""
        ...

    async def lock_if_password_unchanged(self, member: Member) -> bool:
        """Whether the password is still the one that was read; locks it until the transaction
        ends. Removing a password also ends its sessions, and must see all of them."""
        ...

    async def save(self, member: Member) -> None:
        """Stores a locked member's password, the time it was removed, and the operator flag."""
        ...


class Sessions(Protocol):
    """Stores sessions."""

    async def add(self, session: Session) -> None: ...

    async def find(self, id: SessionId) -> Session | None: ...

    async def find_for_update(self, id: SessionId) -> Session | None:
        """Locks the row, so that two refreshes with one token cannot both succeed."""
        ...

    async def save(self, session: Session) -> None: ...

    async def revoke_all(self, member: MemberId, now: datetime) -> None:
        """Ends every session of a member."""
        ...

    async def find_principal(self, claims: AccessClaims) -> Principal | None:
        """The member of a session that is not revoked."""
        ...


class Passwords(Protocol):
    """Hashes passwords, deliberately slowly."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Takes as long for None (no member) as for a wrong password."""
        ...


class Tokens(Protocol):
    """Signs and reads tokens. Reading raises TokenInvalid, TokenExpired."""

    def sign_access(self, claims: AccessClaims, now: datetime, expires_at: datetime) -> str: ...

    def sign_refresh(self, claims: RefreshClaims, now: datetime, expires_at: datetime) -> str: ...

    def sign_cookie(self, claims: AccessClaims, now: datetime, expires_at: datetime) -> str: ...

    def read_access(self, token: str, now: datetime) -> AccessClaims: ...

    def read_cookie(self, token: str, now: datetime) -> AccessClaims: ...

    def read_refresh(self, token: str, now: datetime) -> RefreshClaims: ...


class RateLimits(Protocol):
    """Counts attempts across all processes."""

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        """Counts an attempt for each key in this order, up to the first that is exhausted. Raises
        RateLimited."""
        ...


class SocialProvider(Protocol):
    """A sign-in provider: the authorization code flow (RFC 6749, 4.1)."""

    def authorize_url(self, redirect_uri: str, state: str, flow_secrets: FlowSecrets) -> str:
        """The provider's sign-in page; it redirects back with `state`."""
        ...

    async def identify(
        self, code: str, redirect_uri: str, flow_secrets: FlowSecrets
    ) -> SocialIdentity:
        """The identity behind a code. Raises SocialRefused, ProviderUnavailable."""
        ...


class SocialAccounts(Protocol):
    """Accounts at providers, each linked to one member."""

    async def find_member(self, provider: str, subject: str) -> MemberId | None: ...

    async def link(self, identity: SocialIdentity, member: MemberId, now: datetime) -> None:
        """Raises AlreadyLinked, and SocialAccountConflict if the member has another account of
        this provider."""
        ...


class OneTimeCodes(Protocol):
    """One-time codes, each for one purpose and bound to its holder's secret."""

    async def keep(self, purpose: str, holder: str, content: bytes, life: timedelta) -> str: ...

    async def take(self, purpose: str, holder: str, code: str) -> bytes | None:
        """Uses up the code; None if it is not valid."""
        ...
