"""Sign-up, sign-in and sign-out."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from market.shared.audit import Audit
from market.shared.clock import Clock
from market.shared.errors import Invalid, NotFound
from market.shared.ids import Ids, MemberId, SessionId
from market.shared.principals import Principal
from market.shared.transactions import Transactions

from .domain import (
    AccessClaims,
    Member,
    RefreshClaims,
    Session,
    StepUpNeeded,
    TokenInvalid,
    TokenReused,
    WrongCredentials,
    is_email,
    normal_email,
)
from .nicknames import NicknameTaken, kept, proposals
from .nicknames import nickname as named
from .ports import Members, Passwords, Sessions, Tokens

BATCH_SIZE = 1_000
# How long after a session's end its forms are still attributed to its member.
FORM_OWNER_TTL = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A session's two tokens; `expires_in` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The content of a browser's session cookie, valid for `lasts`."""

    token: str
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each token is valid."""

    access: timedelta = timedelta(minutes=10)
    refresh: timedelta = timedelta(days=14)


class MemberService:
    """Sign-in by e-mail and password, with rotating refresh tokens (R14)."""

    def __init__(
        self,
        transactions: Transactions,
        members: Members,
        sessions: Sessions,
        passwords: Passwords,
        tokens: Tokens,
        audit: Audit,
        clock: Clock,
        ids: Ids,
        lifetimes: Lifetimes,
    ) -> None:
        self._transactions = transactions
        self._members = members
        self._sessions = sessions
        self._passwords = passwords
        self._tokens = tokens
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._lifetimes = lifetimes

    async def hash_password(self, password: str) -> str:
        """Hashes a password for `sign_up`. Deliberately slow: never call it in a transaction."""
        return await self._passwords.hash(password)

    async def sign_up(
        self, email: str, password_hash: str, nickname: str
    ) -> tuple[Member, TokenPair]:
        """Creates a member and a session. Raises EmailTaken, NicknameTaken, NicknameReserved,
        Invalid."""
        address = normal_email(email)
        if not is_email(address):
            raise Invalid("That is no e-mail address.")
        member = Member(
            MemberId(self._ids.new()),
            address,
            named(nickname),
            password_hash,
            self._clock.now(),
        )
        async with self._transactions.transaction():
            await self._members.add(member)
            return member, await self._begin_session(member)

    async def sign_in(self, email: str, password: str) -> TokenPair:
        """Creates a session. Raises WrongCredentials, after the same time for known and unknown
        addresses."""
        member = await self._members.find_by_email(normal_email(email))
        known = member.password_hash if member else None
        if not await self._passwords.matches(password, known) or member is None:
            raise WrongCredentials
        async with self._transactions.transaction():
            # Verifying took a while: a password removed meanwhile must not begin a session.
            if not await self._members.lock_if_password_unchanged(member):
                raise WrongCredentials
            return await self._begin_session(member)

    async def begin_session(self, member: Member) -> TokenPair:
        """Creates a session for an authenticated member."""
        async with self._transactions.transaction():
            return await self._begin_session(member)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Replaces a session's tokens. Raises TokenInvalid, TokenExpired, TokenReused."""
        claims = self._tokens.read_refresh(refresh_token, self._clock.now())
        reused: TokenReused | None = None
        async with self._transactions.transaction():
            session = await self._sessions.find_for_update(claims.session_id)
            if session is None:
                raise TokenInvalid
            fresh = self._ids.new()
            try:
                session.rotate(claims.token_id, fresh, self._clock.now(), self._lifetimes.refresh)
            except TokenReused as error:
                # safeguard: a reused token's revocation is committed before it is reported
                reused = error
            await self._sessions.save(session)
        # Raised only here: inside the transaction it would roll the revocation back (R14).
        if reused is not None:
            raise reused
        return self._pair(session)

    async def sign_out(self, refresh_token: str) -> None:
        """Ends the session and all of its tokens. Raises TokenInvalid, TokenExpired."""
        await self.end(self._tokens.read_refresh(refresh_token, self._clock.now()).session_id)

    async def end(self, id: SessionId) -> None:
        """Ends a session. Raises TokenInvalid if there is none."""
        async with self._transactions.transaction():
            session = await self._sessions.find_for_update(id)
            if session is None:
                raise TokenInvalid
            session.revoke(self._clock.now())
            await self._sessions.save(session)

    async def authenticate_token(self, access_token: str) -> Principal:
        """The principal of an access token. Raises TokenExpired, and TokenInvalid also for an ended
        session.

        Every request reads the session by its key, nickname included, so that a sign-out takes
        effect at once.
        """
        return await self._authenticate(self._tokens.read_access(access_token, self._clock.now()))

    def session_cookie(self, pair: TokenPair) -> SessionCookie:
        """A cookie for the session of a new token pair; it ends with that session. It never
        rotates: pages load in parallel, and rotation would make two of them look like token
        reuse."""
        now, lasts = self._clock.now(), self._lifetimes.refresh
        claims = self._tokens.read_access(pair.access_token, now)
        return SessionCookie(self._tokens.sign_cookie(claims, now, now + lasts), lasts)

    async def authenticate_cookie(self, cookie: str) -> Principal:
        """The principal of a session cookie. Raises TokenExpired, and TokenInvalid also for an
        ended session."""
        return await self._authenticate(self._tokens.read_cookie(cookie, self._clock.now()))

    async def form_owner(self, id: SessionId) -> MemberId | None:
        """The member whose form carries this session's CSRF token, even if the session has ended;
        None if it ended more than `FORM_OWNER_TTL` ago."""
        session = await self._sessions.find(id)
        if session is None or session.ended_before(self._clock.now() - FORM_OWNER_TTL):
            return None
        return session.member_id

    async def _authenticate(self, claims: AccessClaims) -> Principal:
        caller = await self._sessions.find_principal(claims)
        if caller is None:
            raise TokenInvalid
        return caller

    async def member_of(self, pair: TokenPair) -> Member:
        """The member of a new token pair."""
        claims = self._tokens.read_access(pair.access_token, self._clock.now())
        return await self._members.get(claims.member_id)

    async def get(self, id: MemberId) -> Member:
        return await self._members.get(id)

    async def choose_password(self, caller: Principal, password_hash: str) -> None:
        """Sets the first password of a member who signs in through a provider. The sign-in must be
        recent, as proof of identity. Raises StepUpNeeded, PasswordSet."""
        now = self._clock.now()
        async with self._transactions.transaction():
            member = await self._members.get_for_update(caller.id)
            session = await self._sessions.find_for_update(caller.session_id)
            if session is None or not session.is_fresh(now):
                raise StepUpNeeded
            member.choose_password(password_hash)
            await self._members.save(member)

    async def acknowledge_password_removal(self, id: MemberId) -> None:
        """The member has read that their password was removed, and wants no other."""
        async with self._transactions.transaction():
            member = await self._members.get_for_update(id)
            member.password_ended_at = None
            await self._members.save(member)

    async def set_operator(self, email: str, by: str, reason: str, *, operator: bool) -> Member:
        """Makes a member an operator or an ordinary member, from their next request on.

        Raises NotFound.
        """
        async with self._transactions.transaction():
            member = await self._members.find_by_email_for_update(normal_email(email))
            if member is None:
                raise NotFound("No member has this address.")
            member.operator = operator
            await self._members.save(member)
            act = "appoint" if operator else "dismiss"
            await self._audit.record(by, act, f"member {member.id}", reason)
        return member

    async def add_nickname_keys(self) -> int:
        """Adds nickname keys to members that an older release created during a rollout; returns how
        many. At most one batch, each member in a transaction of its own."""
        ids = await self._members.without_nickname_key(BATCH_SIZE)
        for id in ids:
            with suppress(NicknameTaken):  # taken meanwhile: the next run proposes another
                await self._add_nickname_key(id)
        return len(ids)

    async def _add_nickname_key(self, id: MemberId) -> None:
        member = await self._members.get(id)
        names = proposals(kept(member.nickname, operator=member.operator))
        member.nickname = await self._members.free_nickname(names)
        await self._members.rename(member)

    async def _begin_session(self, member: Member) -> TokenPair:
        session = Session.begin(
            SessionId(self._ids.new()),
            member,
            self._ids.new(),
            self._clock.now(),
            self._lifetimes.refresh,
        )
        await self._sessions.add(session)
        return self._pair(session)

    def _pair(self, session: Session) -> TokenPair:
        now = self._clock.now()
        access = AccessClaims(session.member_id, session.id)
        refresh = RefreshClaims(session.current_token_id, session.id)
        return TokenPair(
            self._tokens.sign_access(access, now, now + self._lifetimes.access),
            self._tokens.sign_refresh(refresh, now, session.expires_at),
            int(self._lifetimes.access.total_seconds()),
        )
