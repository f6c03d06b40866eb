"""Sign-in through another company (R14).

The browser that begins holds a secret (a cookie) that every later step must present, so no one can
finish a sign-in that another person began.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from msgspec import Struct, json

from market.members.domain import EmailTaken, Member
from market.members.nicknames import NicknameTaken, proposals
from market.members.ports import Members, OneTimeCodes, Sessions, SocialAccounts, SocialProvider
from market.members.service import MemberService, TokenPair
from market.shared.clock import Clock
from market.shared.errors import Invalid, NotFound
from market.shared.ids import Ids, MemberId
from market.shared.transactions import Transactions

from .identity import (
    AlreadyLinked,
    FlowSecrets,
    SocialDeclined,
    SocialIdentity,
    SocialRefused,
    SocialStateInvalid,
    local_path,
)

# A person may have to look for their password; a script or page exchanges its code at once.
FLOW_TTL = timedelta(minutes=10)
CODE_TTL = timedelta(minutes=1)
_FLOW, _ARRIVAL = "social flow", "social arrival"
_ROUNDS = 3


class SocialCodeInvalid(Invalid):
    code: ClassVar[str] = "social_code_invalid"
    message: ClassVar[str] = (
        "This code belongs to another browser, timed out or was used before. Begin again."
    )


class OAuthFlow(Struct, frozen=True):
    """A sign-in in progress; `next` is the path to return to."""

    provider: str
    nonce: str
    verifier: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Providers:
    """The configured providers by name, and the public address of our callback."""

    by_name: Mapping[str, SocialProvider]
    public_url: str

    def get(self, name: str) -> SocialProvider:
        """Raises NotFound."""
        if name not in self.by_name:
            raise NotFound
        return self.by_name[name]

    def callback(self, name: str) -> str:
        return f"{self.public_url}/api/auth/social/{name}/callback"


class SocialSignIn:
    """The steps of a social sign-in, for API and pages."""

    def __init__(
        self,
        transactions: Transactions,
        members: Members,
        sessions: Sessions,
        accounts: SocialAccounts,
        codes: OneTimeCodes,
        member_service: MemberService,
        providers: Providers,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._transactions = transactions
        self._members = members
        self._sessions = sessions
        self._accounts = accounts
        self._codes = codes
        self._member_service = member_service
        self._providers = providers
        self._clock = clock
        self._ids = ids

    @property
    def names(self) -> list[str]:
        """The names of the configured providers."""
        return list(self._providers.by_name)

    async def begin(self, provider: str, browser: str, next: str | None = None) -> str:
        """The provider's URL for the browser. Raises NotFound, and Invalid for a `next`
        elsewhere."""
        strategy = self._providers.get(provider)
        place = None if next is None else local_path(next)
        flow_secrets = FlowSecrets.new()
        flow = OAuthFlow(provider, flow_secrets.nonce, flow_secrets.verifier, place)
        state = await self._codes.keep(_FLOW, browser, json.encode(flow), FLOW_TTL)
        return strategy.authorize_url(self._providers.callback(provider), state, flow_secrets)

    async def resume(self, provider: str, browser: str, state: str) -> OAuthFlow:
        """Uses up a flow's state and returns the flow. Raises SocialStateInvalid."""
        self._providers.get(provider)
        kept = await self._codes.take(_FLOW, browser, state)
        flow = json.decode(kept, type=OAuthFlow) if kept else None
        # A provider cannot respond for another (mix-up attack, RFC 9207).
        if flow is None or flow.provider != provider:
            raise SocialStateInvalid
        return flow

    async def finish(
        self, flow: OAuthFlow, browser: str, code: str | None, error: str | None
    ) -> str:
        """A code of ours for `exchange`, for the member behind the provider's identity.

        Raises SocialDeclined, SocialRefused, ProviderUnavailable, SocialAccountConflict.
        """
        if error == "access_denied":
            raise SocialDeclined
        if error or not code:
            raise SocialRefused
        strategy = self._providers.get(flow.provider)
        flow_secrets = FlowSecrets(flow.nonce, flow.verifier)
        callback = self._providers.callback(flow.provider)
        identity = await strategy.identify(code, callback, flow_secrets)
        member = await self.find_or_create_member(identity)
        return await self._codes.keep(_ARRIVAL, browser, member.id.encode(), CODE_TTL)

    async def exchange(self, browser: str, code: str) -> TokenPair:
        """Exchanges a code of `finish` for a session. Raises SocialCodeInvalid."""
        kept = await self._codes.take(_ARRIVAL, browser, code)
        if kept is None:
            raise SocialCodeInvalid
        member = await self._members.get(MemberId(kept.decode()))
        return await self._member_service.begin_session(member)

    async def find_or_create_member(self, identity: SocialIdentity) -> Member:
        """The member linked to an identity; creates one if there is none. Raises
        SocialAccountConflict."""
        for round in range(_ROUNDS):
            try:
                async with self._transactions.transaction():
                    return await self._find_or_create_member(identity, crowded=round > 0)
            except (AlreadyLinked, EmailTaken, NicknameTaken):
                continue  # another request was faster: the next round finds its member
        raise AlreadyLinked

    async def _find_or_create_member(self, identity: SocialIdentity, *, crowded: bool) -> Member:
        known = await self._accounts.find_member(identity.provider, identity.subject)
        if known is not None:
            return await self._members.get(known)
        member = await self._owner_of(identity.proven_email)
        if member is None:
            member = await self._new_member(identity, crowded=crowded)
            await self._members.add(member)
        await self._accounts.link(identity, member.id, self._clock.now())
        return member

    async def _owner_of(self, email: str | None) -> Member | None:
        """The member who signed up with the address that is proven now.

        The person who signed up had not proven it and may be someone else. So the member's
        password and sessions are revoked.
        """
        member = await self._members.find_by_email_for_update(email) if email else None
        if member is not None and member.password_hash is not None:
            now = self._clock.now()
            member.remove_password(now)
            await self._members.save(member)
            await self._sessions.revoke_all(member.id, now)
        return member

    async def _new_member(self, identity: SocialIdentity, *, crowded: bool) -> Member:
        names = proposals(identity.shown_name)
        # Concurrent newcomers with one name would all try the next number.
        name = await self._members.free_nickname(names[::-1] if crowded else names)
        # An unproven address is not stored: it would block its owner from signing up.
        return Member(
            MemberId(self._ids.new()),
            identity.proven_email,
            name,
            None,
            self._clock.now(),
        )
