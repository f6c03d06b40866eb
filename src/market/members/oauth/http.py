"""Routes of social sign-in: to the provider, back, and the exchange of our code."""

import re
import secrets
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from market.kit.http.problems import on_market_error, problem_responses
from market.kit.http.request import ClientAddress, wants_page
from market.members.auth.throttling import AuthThrottle
from market.members.http import TokensOut
from market.shared.errors import MarketError, NotFound

from .identity import SocialStateInvalid
from .service import FLOW_TTL, SocialCodeInvalid, SocialSignIn

Social = NamedDependency[SocialSignIn]
AuthThrottleDep = NamedDependency[AuthThrottle]
AppRequest = Request[Any, Any, State]

# Renamed in Python: the framework reserves `state`.
StateParam = Annotated[str | None, QueryParameter(name="state", required=False)]

EXCHANGE = "/api/auth/social/exchange"
# Pages of the shop: one signs a browser in with our code, the other shows why it was refused.
SHOP_RETURN, SIGN_IN = "/signin/social?next=/", "/signin"
COOKIE, SECURE_COOKIE = "social", "__Host-social"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
# Codes in URLs must not reach the next page.
NO_REFERRER = {"Referrer-Policy": "no-referrer"}


class CodeIn(Struct):
    code: Annotated[str, Meta(max_length=200)]


class FlowCookie:
    """The cookie that binds a sign-in to the browser that began it.

    Several sign-ins of one browser, in two tabs, share it. Over HTTPS only this host can set it
    (`__Host-`), and it is never sent unencrypted.
    """

    def __init__(self, public_url: str) -> None:
        self._secure = public_url.startswith("https://")
        self._name = SECURE_COOKIE if self._secure else COOKIE

    def find(self, request: AppRequest) -> str | None:
        """The secret in a browser's cookie."""
        given = request.cookies.get(self._name, "")
        return given if _SECRET.fullmatch(given) else None

    def cookie(self, secret: str) -> Cookie:
        """Lax: a provider redirects back with a top-level navigation."""
        return Cookie(
            key=self._name,
            value=secret,
            max_age=int(FLOW_TTL.total_seconds()),
            httponly=True,
            secure=self._secure,
            samesite="lax",
        )


def with_query(place: str, **values: str) -> str:
    """A local path with these values added to its query."""
    parts = urlsplit(place)
    query = f"{parts.query}&{urlencode(values)}" if parts.query else urlencode(values)
    return parts._replace(query=query).geturl()


def on_refusal(request: AppRequest, error: MarketError) -> Response[Any]:
    """A browser gets a page, a program the problem."""
    if request.method != "GET" or not wants_page(request) or isinstance(error, NotFound):
        return on_market_error(request, error)
    place = with_query(SIGN_IN, refused=error.code)
    return Redirect(place, status_code=303, headers=NO_REFERRER)


class SocialController(Controller):
    """Sign-in through another company (R14).

    A browser goes to `GET …/{provider}`, says at the provider who it is, and comes back to
    `…/callback`, which sends it on with a code of ours, good once and for a minute: to `next` where
    one was given (`?code=` or, refused, `?error=`), else to `…/exchange`, which answers tokens. All
    steps need the cookie of the first, so a script must keep cookies and follow redirects.
    """

    path = "/api/auth/social"
    tags = ["auth"]
    exception_handlers = {MarketError: on_refusal}

    @get("/{provider:str}", status_code=302, responses=problem_responses(400, 404, 429))
    async def begin(
        self,
        request: AppRequest,
        provider: FromPath[str],
        social: Social,
        flow_cookie: NamedDependency[FlowCookie],
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
        next: FromQuery[str | None] = None,
    ) -> Redirect:
        """Redirects to the provider. `next` is a path of this site, for pages that exchange the
        code themselves; a browser without one is signed in to the shop."""
        await auth_throttle.social(client_address)
        if next is None and wants_page(request):
            next = SHOP_RETURN
        browser = flow_cookie.find(request) or secrets.token_urlsafe(32)
        place = await social.begin(provider, browser, next)
        cookie = flow_cookie.cookie(browser)
        return Redirect(place, status_code=302, headers=NO_REFERRER, cookies=[cookie])

    @get(
        "/{provider:str}/callback",
        status_code=302,
        responses=problem_responses(400, 403, 404, 409, 429, 502),
        # Published names, in generated clients.
        operation_id="ApiAuthSocialProviderCallbackComeBack",
        summary="ComeBack",
    )
    async def callback(
        self,
        request: AppRequest,
        provider: FromPath[str],
        social: Social,
        flow_cookie: NamedDependency[FlowCookie],
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
        code: FromQuery[str | None] = None,
        echo: StateParam = None,
        error: FromQuery[str | None] = None,
    ) -> Redirect:
        """Handles the provider's redirect."""
        await auth_throttle.social(client_address)
        browser = flow_cookie.find(request)
        if browser is None or not echo:
            raise SocialStateInvalid
        flow = await social.resume(provider, browser, echo)
        try:
            ours = await social.finish(flow, browser, code, error)
        except MarketError as refusal:
            if flow.next is None:
                raise
            return _redirect(with_query(flow.next, error=refusal.code))
        return _redirect(with_query(flow.next or EXCHANGE, code=ours))

    @get(
        "/exchange",
        responses=problem_responses(400, 429),
        operation_id="ApiAuthSocialExchangeFollow",
        summary="Follow",
    )
    async def exchange_redirect(
        self,
        request: AppRequest,
        social: Social,
        flow_cookie: NamedDependency[FlowCookie],
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
        code: FromQuery[str] = "",
    ) -> Response[TokensOut]:
        """The session's tokens, for a client that follows redirects."""
        await auth_throttle.social(client_address)
        return await _tokens(request, social, flow_cookie, code)

    @post("/exchange", status_code=200, responses=problem_responses(400, 429))
    async def exchange(
        self,
        request: AppRequest,
        data: JSONBody[CodeIn],
        social: Social,
        flow_cookie: NamedDependency[FlowCookie],
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> Response[TokensOut]:
        """The session's tokens, for the page at `next`."""
        await auth_throttle.social(client_address)
        return await _tokens(request, social, flow_cookie, data.code)


def _redirect(place: str) -> Redirect:
    return Redirect(place, status_code=302, headers=NO_REFERRER)


async def _tokens(
    request: AppRequest, social: SocialSignIn, flow_cookie: FlowCookie, code: str
) -> Response[TokensOut]:
    browser = flow_cookie.find(request)
    if browser is None:
        raise SocialCodeInvalid
    pair = await social.exchange(browser, code)
    return Response(TokensOut.of(pair), headers=NO_REFERRER)


ROUTES = (SocialController,)
