"""What membership needs of the outside."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from market.shared.ids import MemberId, SessionId
from market.shared.principals import Principal
from market.shared.rate_limit import RateLimit

from .domain import AccessClaims, Member, RefreshClaims, Session
from .oauth.identity import FlowSecrets, SocialIdentity


class Members(Protocol):
    """Keeps members."""

    async def add(self, member: Member) -> None:
        """Raises EmailTaken, NicknameTaken."""
        ...

    async def free_nickname(self, proposed: Sequence[str]) -> str:
        """The first of these that no member has, nor one that looks like it; until somebody takes
        it. Raises NicknameTaken."""
        ...

    async def get(self, id: MemberId) -> Member:
        """Raises NotFound."""
        ...

    async def without_nickname_key(self, limit: int) -> Sequence[MemberId]:
        """Members whom an older release has added, the oldest first."""
        ...

    async def rename(self, member: Member) -> None:
        """Keeps a member's nickname. Raises NicknameTaken."""
        ...

    async def get_for_update(self, id: MemberId) -> Member:
        """Locks it: a password must not be chosen by one and forgotten by another. Raises
        NotFound."""
        ...

    async def find_by_email(self, email: str) -> Member | None: ...

    async def find_by_email_for_update(self, email: str) -> Member | None:
        """Locks it: a password must not be forgotten by one and changed by another."""
        ...

    async def lock_if_password_unchanged(self, member: Member) -> bool:
        """Whether its password is still the one that was read. Until this transaction ends it
        stays so: who forgets a password ends the sessions it began, and must find them all."""
        ...

    async def save(self, member: Member) -> None:
        """Keeps what may change of a member, who was locked: the password, since when there is
        none any more, and whether they are an operator."""
        ...


class Sessions(Protocol):
    """Keeps sessions."""

    async def add(self, session: Session) -> None: ...

    async def find(self, id: SessionId) -> Session | None: ...

    async def find_for_update(self, id: SessionId) -> Session | None:
        """Locks it: two refreshes with one token must not both find it unspent."""
        ...

    async def save(self, session: Session) -> None: ...

    async def revoke_all(self, member: MemberId, now: datetime) -> None:
        """Ends every session of a member."""
        ...

    async def find_principal(self, claims: AccessClaims) -> Principal | None:
        """The member behind a session that is not revoked."""
        ...


class Passwords(Protocol):
    """Hashes passwords, slowly and on purpose."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Takes as long for None (no such member) as for a wrong password."""
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
    """Counts turns, for all processes together."""

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        """Takes a turn of each key in this order, until one has none left. Raises RateLimited."""
        ...


class SocialProvider(Protocol):
    """One provider's way of vouching for somebody: the authorization code flow (RFC 6749, 4.1)."""

    def authorize_url(self, redirect_uri: str, state: str, flow_secrets: FlowSecrets) -> str:
        """Where a person says who they are; they come back with `state`."""
        ...

    async def identify(
        self, code: str, redirect_uri: str, flow_secrets: FlowSecrets
    ) -> SocialIdentity:
        """Whom a code stands for. Raises SocialRefused, ProviderUnavailable."""
        ...


class SocialAccounts(Protocol):
    """Which account of which provider is which member's."""

    async def find_member(self, provider: str, subject: str) -> MemberId | None: ...

    async def link(self, identity: SocialIdentity, member: MemberId, now: datetime) -> None:
        """Raises AlreadyLinked, and SocialAccountConflict where the member has another of it."""
        ...


class OneTimeCodes(Protocol):
    """Codes that are good once, for one purpose, and for whoever has the holder's secret too."""

    async def keep(self, purpose: str, holder: str, content: bytes, life: timedelta) -> str: ...

    async def take(self, purpose: str, holder: str, code: str) -> bytes | None:
        """Spends it; None where it is not good."""
        ...
