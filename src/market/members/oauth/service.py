"""Signing in through another company (R14): there and back, and a member at the end.

The browser that begins holds a secret (a cookie) that every later step must come with, so nobody
finishes a sign-in that somebody else began.
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

# A person may have to find their password; a script or a page comes back at once.
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
    """One sign-in on its way; `next` is where its browser wants to be afterwards."""

    provider: str
    nonce: str
    verifier: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers that are configured, by name, and the address they send people back to."""

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
    """The steps of a social sign-in, for API and pages alike."""

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
        """The providers there are."""
        return list(self._providers.by_name)

    async def begin(self, provider: str, browser: str, next: str | None = None) -> str:
        """Where to send the browser. Raises NotFound, and Invalid for a `next` elsewhere."""
        strategy = self._providers.get(provider)
        place = None if next is None else local_path(next)
        flow_secrets = FlowSecrets.new()
        flow = OAuthFlow(provider, flow_secrets.nonce, flow_secrets.verifier, place)
        state = await self._codes.keep(_FLOW, browser, json.encode(flow), FLOW_TTL)
        return strategy.authorize_url(self._providers.callback(provider), state, flow_secrets)

    async def resume(self, provider: str, browser: str, state: str) -> OAuthFlow:
        """The flow that comes back; a second time it is gone. Raises SocialStateInvalid."""
        self._providers.get(provider)
        kept = await self._codes.take(_FLOW, browser, state)
        flow = json.decode(kept, type=OAuthFlow) if kept else None
        # A provider can't answer for another (mix-up, RFC 9207).
        if flow is None or flow.provider != provider:
            raise SocialStateInvalid
        return flow

    async def finish(
        self, flow: OAuthFlow, browser: str, code: str | None, error: str | None
    ) -> str:
        """A code of ours that `exchange` takes, for the member whom the provider vouches for.

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
        """A session for a code of `finish`. Raises SocialCodeInvalid."""
        kept = await self._codes.take(_ARRIVAL, browser, code)
        if kept is None:
            raise SocialCodeInvalid
        member = await self._members.get(MemberId(kept.decode()))
        return await self._member_service.begin_session(member)

    async def find_or_create_member(self, identity: SocialIdentity) -> Member:
        """The member behind an identity, a new one if there is none yet. Raises
        SocialAccountConflict."""
        for round in range(_ROUNDS):
            try:
                async with self._transactions.transaction():
                    return await self._find_or_create_member(identity, crowded=round > 0)
            except (AlreadyLinked, EmailTaken, NicknameTaken):
                continue  # somebody was faster: the next round finds what they made
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
        """The member who signed up with an address that is proven now.

        Whoever signed up had not proven it, and may have been anybody. So what they knew opens
        nothing any more: neither their password nor their sessions.
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
        # Of many who come at once with one name, all would try the next number.
        name = await self._members.free_nickname(names[::-1] if crowded else names)
        # An address that is not proven is not kept: it would keep its owner from signing up.
        return Member(
            MemberId(self._ids.new()),
            identity.proven_email,
            name,
            None,
            self._clock.now(),
        )
