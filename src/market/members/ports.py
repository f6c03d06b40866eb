"""What membership needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market.shared.ids import MemberId, SessionId
from market.shared.limits import Limit
from market.shared.people import Caller

from .domain import AccessClaims, Member, RefreshClaims, Session


class Members(Protocol):
    """Keeps members."""

    async def add(self, member: Member) -> None:
        """Raises EmailTaken."""
        ...

    async def get(self, id: MemberId) -> Member:
        """Raises NotFound."""
        ...

    async def find_by_email(self, email: str) -> Member | None: ...

    async def save(self, member: Member) -> None:
        """Keeps what may change of a member: whether they are an operator."""
        ...


class Sessions(Protocol):
    """Keeps sessions."""

    async def add(self, session: Session) -> None: ...

    async def find_for_update(self, id: SessionId) -> Session | None:
        """Locks it: two refreshes with one token must not both find it unspent."""
        ...

    async def save(self, session: Session) -> None: ...

    async def find_caller(self, claims: AccessClaims) -> Caller | None:
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

    async def take(self, turns: Sequence[tuple[Limit, str]]) -> None:
        """Takes a turn of each key in this order, until one has none left. Raises RateLimited."""
        ...
