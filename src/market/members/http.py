"""Routes of sign-up, sign-in, refresh and sign-out, and the authentication middleware."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Meta, Struct

from market.kit.http.problems import problem_responses
from market.kit.http.request import (
    BEARER,
    SINGLE_LINE,
    ClientAddress,
    Idempotent,
    KeyParam,
    SignedIn,
)
from market.shared import log_context
from market.shared.errors import Unauthenticated
from market.shared.principals import Principal

from .auth.throttling import AuthThrottle
from .domain import (
    EMAIL,
    EMAIL_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    Member,
    TokenInvalid,
)
from .nicknames import NICKNAME_LENGTH_MAX
from .service import MemberService, TokenPair

Service = NamedDependency[MemberService]
AuthThrottleDep = NamedDependency[AuthThrottle]

Email = Annotated[
    str, Meta(pattern=EMAIL, max_length=EMAIL_LENGTH_MAX, examples=["bora@example.com"])
]
Password = Annotated[str, Meta(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]
Nickname = Annotated[str, Meta(pattern=SINGLE_LINE, min_length=1, max_length=NICKNAME_LENGTH_MAX)]


class SignUp(Struct):
    email: Email
    password: Password
    nickname: Nickname


class SignIn(Struct):
    email: Annotated[str, Meta(max_length=EMAIL_LENGTH_MAX)]
    password: Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]


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

    @post("/signup", responses=problem_responses(409, 422, 429, body=True))
    async def sign_up(
        self,
        data: JSONBody[SignUp],
        members: Service,
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
        idempotent: Idempotent,
        key: KeyParam = None,
    ) -> Response[SignedUp]:
        """Creates a member and signs them in."""
        await auth_throttle.sign_up(client_address, data.email)
        password_hash = await members.hash_password(data.password)

        async def work() -> SignedUp:
            member, pair = await members.sign_up(data.email, password_hash, data.nickname)
            return SignedUp(
                access_token=pair.access_token,
                refresh_token=pair.refresh_token,
                expires_in=pair.expires_in,
                member=MemberOut.of(member),
            )

        return await idempotent(work, status=201)

    @post("/login", status_code=200, responses=problem_responses(401, 429, body=True))
    async def sign_in(
        self,
        data: JSONBody[SignIn],
        members: Service,
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> TokensOut:
        """Creates a session."""
        await auth_throttle.sign_in(client_address, data.email)
        return TokensOut.of(await members.sign_in(data.email, data.password))

    @post("/refresh", status_code=200, responses=problem_responses(401, 429, body=True))
    async def refresh(
        self,
        data: JSONBody[RefreshTokenIn],
        members: Service,
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> TokensOut:
        """Replaces both tokens. A refresh token used twice ends its whole session."""
        await auth_throttle.refresh(client_address)
        return TokensOut.of(await members.refresh(data.refresh_token))

    @post("/logout", status_code=204, responses=problem_responses(401, body=True))
    async def sign_out(self, data: JSONBody[RefreshTokenIn], members: Service) -> None:
        """Ends the session; its access token is refused at once."""
        await members.sign_out(data.refresh_token)


@get(
    "/api/me",
    security=BEARER,
    tags=["me"],
    responses=problem_responses(401),
    name="me",
)
async def show_me(caller: SignedIn, members: Service) -> MemberOut:
    """The signed-in member."""
    return MemberOut.of(await members.get(caller.id))


class Authentication:
    """Authenticates the bearer token, if present, and requires one where the OpenAPI document does
    (R1).

    A bad token is refused everywhere, even where none is needed: a client that assumes it is
    signed in learns that it is not. Paths that start with `unread` ignore tokens.
    """

    def __init__(self, app: ASGIApp, unread: tuple[str, ...]) -> None:
        self._app = app
        self._unread = unread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(self._unread):
            scope["user"] = caller = await caller_of(scope)
            # A guard could check this too, but the framework copies the route for each guard.
            route = scope["route_handler"]
            if caller is None and isinstance(route, HTTPRouteHandler) and route.resolve_security():
                raise Unauthenticated
        await self._app(scope, receive, send)


async def caller_of(scope: Scope) -> Principal | None:
    """The principal of a request's token; None without one. Raises TokenInvalid, TokenExpired."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenInvalid
    members: MemberService = scope["litestar_app"].state.market.members
    caller = await members.authenticate_token(token.strip())
    log_context.bind(member_id=caller.id)  # from here on in every line
    return caller


ROUTES = (AuthController, show_me)
