"""The doors of membership: sign-up, sign-in, refresh, sign-out, and the check of every token."""

from datetime import datetime
from typing import Annotated, Any

import structlog
from litestar import Controller, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.params import JSONBody
from msgspec import Meta, Struct

from market.kit.http import (
    BEARER,
    ONE_LINE,
    ClientAddress,
    Idempotent,
    KeyParam,
    SignedIn,
    member_only,
)
from market.kit.problems import documented

from .domain import (
    EMAIL,
    LONGEST_EMAIL,
    LONGEST_NICKNAME,
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Member,
    TokenInvalid,
)
from .doorkeeper import Doorkeeper
from .service import MemberService, TokenPair

Service = NamedDependency[MemberService]
Door = NamedDependency[Doorkeeper]

Email = Annotated[str, Meta(pattern=EMAIL, max_length=LONGEST_EMAIL, examples=["bora@example.com"])]
Password = Annotated[str, Meta(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
Nickname = Annotated[str, Meta(pattern=ONE_LINE, min_length=1, max_length=LONGEST_NICKNAME)]


class SignUp(Struct):
    email: Email
    password: Password
    nickname: Nickname


class SignIn(Struct):
    email: Annotated[str, Meta(max_length=LONGEST_EMAIL)]
    password: Annotated[str, Meta(max_length=LONGEST_PASSWORD)]


class RefreshTokenIn(Struct):
    refresh_token: Annotated[str, Meta(max_length=2048)]


class MemberOut(Struct):
    id: str
    email: str | None
    nickname: str
    created_at: datetime
    operator: bool

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        return cls(member.id, member.email, member.nickname, member.created_at, member.operator)


class TokensOut(Struct, kw_only=True):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 # not one
    expires_in: int

    @classmethod
    def of(cls, pair: TokenPair) -> "TokensOut":
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_in=pair.expires_in,
        )


class SignedUp(TokensOut, kw_only=True):
    member: MemberOut


class AuthController(Controller):
    """Sign-in (R14)."""

    path = "/api/auth"
    tags = ["auth"]

    @post("/signup", responses=documented(409, 422, 429, body=True))
    async def sign_up(
        self,
        data: JSONBody[SignUp],
        members: Service,
        doorkeeper: Door,
        client_address: ClientAddress,
        once: Idempotent,
        key: KeyParam = None,
    ) -> Response[SignedUp]:
        """A new member, signed in at once."""
        await doorkeeper.sign_up(client_address, data.email)
        password_hash = await members.hash_password(data.password)

        async def work() -> SignedUp:
            member, pair = await members.sign_up(data.email, password_hash, data.nickname)
            return SignedUp(
                access_token=pair.access_token,
                refresh_token=pair.refresh_token,
                expires_in=pair.expires_in,
                member=MemberOut.of(member),
            )

        return await once(work, status=201)

    @post("/login", status_code=200, responses=documented(401, 429, body=True))
    async def sign_in(
        self,
        data: JSONBody[SignIn],
        members: Service,
        doorkeeper: Door,
        client_address: ClientAddress,
    ) -> TokensOut:
        """A new session."""
        await doorkeeper.sign_in(client_address, data.email)
        return TokensOut.of(await members.sign_in(data.email, data.password))

    @post("/refresh", status_code=200, responses=documented(401, 429, body=True))
    async def refresh(
        self,
        data: JSONBody[RefreshTokenIn],
        members: Service,
        doorkeeper: Door,
        client_address: ClientAddress,
    ) -> TokensOut:
        """Both tokens anew. A refresh token used twice ends its whole session."""
        await doorkeeper.refresh(client_address)
        return TokensOut.of(await members.refresh(data.refresh_token))

    @post("/logout", status_code=204, responses=documented(401, body=True))
    async def sign_out(self, data: JSONBody[RefreshTokenIn], members: Service) -> None:
        """Ends the session; its access token is refused from now on."""
        await members.sign_out(data.refresh_token)


@get(
    "/api/me",
    guards=[member_only],
    security=BEARER,
    tags=["me"],
    responses=documented(401),
    name="me",
)
async def show_me(caller: SignedIn, members: Service) -> MemberOut:
    """The signed-in member."""
    return MemberOut.of(await members.get(caller.id))


class Authentication(AbstractAuthenticationMiddleware):
    """Reads the bearer token, if there is one; guards decide what it opens.

    A bad token is refused everywhere, also where none is needed: a client that believes itself
    signed in should learn that it is not.
    """

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, State]
    ) -> AuthenticationResult:
        header = connection.headers.get("authorization")
        if header is None:
            return AuthenticationResult(user=None, auth=None)
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenInvalid
        members: MemberService = connection.app.state.market.members
        caller = await members.identify(token.strip())
        structlog.contextvars.bind_contextvars(member_id=caller.id)  # from here on in every line
        return AuthenticationResult(user=caller, auth=None)


ROUTES = (AuthController, show_me)
