"""Membership in a browser: signing up, in and out, the profile, the language."""

from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlencode

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from market.kit.http.request import ClientAddress
from market.members.auth.throttling import AuthThrottle
from market.members.domain import (
    EMAIL,
    EMAIL_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    EmailTaken,
    WrongCredentials,
)
from market.members.nicknames import NICKNAME_LENGTH_MAX, NicknameReserved, NicknameTaken
from market.members.oauth.service import SocialCodeInvalid, SocialSignIn
from market.members.service import MemberService, TokenPair
from market.shared.errors import MarketError, NotFound, Unauthenticated

from .forms import Form
from .page import go, render
from .translation import gettext_noop as _
from .visitor import LANGUAGE_LASTS_S, Here, Shop, Visitor, safe_next

AuthThrottleDep = NamedDependency[AuthThrottle]
Social = NamedDependency[SocialSignIn]
Members = NamedDependency[MemberService]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]


class FlowCookie(Protocol):
    """Tells the browser that began a social sign-in from every other."""

    def find(self, request: Asked) -> str | None: ...


class AccountController(Controller):
    """Sign-up, sign-in, sign-out, profile (R14)."""

    @get("/signin")
    async def sign_in_page(
        self, request: Asked, visitor: Here, shop: House, social: Social
    ) -> Response[Any]:
        """The form; who is signed in already is sent on."""
        next = safe_next(request.query_params.get("next"))
        if visitor.caller is not None:
            return go(next)
        return _sign_in_page(shop, visitor, social, next, None)

    @post("/signin")
    async def sign_in(
        self,
        request: Asked,
        visitor: Here,
        shop: House,
        members: Members,
        social: Social,
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> Response[Any]:
        form = await Form.of(request)
        next = safe_next(form.raw("next"))
        await auth_throttle.sign_in(client_address, form.raw("email")[:EMAIL_LENGTH_MAX])
        try:
            pair = await members.sign_in(
                form.raw("email")[:EMAIL_LENGTH_MAX], form.raw("password")[:PASSWORD_LENGTH_MAX]
            )
        except WrongCredentials as error:
            form.fault("password", error.code)
            return _sign_in_page(shop, visitor, social, next, form)
        return log_in(shop, members, pair, next)

    @get("/signin/social")
    async def oauth_callback(
        self,
        request: Asked,
        shop: House,
        members: Members,
        social: Social,
        flow_cookie: NamedDependency[SkipValidation[FlowCookie]],
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> Response[Any]:
        """Back from a provider with a code of ours, good once, in the browser that began alone."""
        await auth_throttle.social(client_address)
        given = request.query_params
        next, browser = safe_next(given.get("next")), flow_cookie.find(request)
        try:
            if browser is None or "code" not in given:
                raise SocialCodeInvalid
            pair = await social.exchange(browser, given["code"])
        except MarketError as refusal:
            return go("/signin", next=next, refused=given.get("error", refusal.code))
        if (await members.member_of(pair)).password_ended_at is not None:
            next = f"/me/password?{urlencode({'next': next})}"
        return log_in(shop, members, pair, next)

    @get("/signup")
    async def sign_up_page(
        self, request: Asked, visitor: Here, shop: House, social: Social
    ) -> Response[Any]:
        next = safe_next(request.query_params.get("next"))
        if visitor.caller is not None:
            return go(next)
        return _sign_up_page(shop, visitor, social, next, None)

    @post("/signup")
    async def sign_up(
        self,
        request: Asked,
        visitor: Here,
        shop: House,
        members: Members,
        social: Social,
        auth_throttle: AuthThrottleDep,
        client_address: ClientAddress,
    ) -> Response[Any]:
        form = await Form.of(request)
        next = safe_next(form.raw("next"))
        await auth_throttle.sign_up(client_address, form.raw("email")[:EMAIL_LENGTH_MAX])
        email = form.text("email", most=EMAIL_LENGTH_MAX, pattern=EMAIL)
        nickname = form.line("nickname", most=NICKNAME_LENGTH_MAX)
        password = password_in(form)
        if not form.wrong:
            try:
                password_hash = await members.hash_password(password)
                _, pair = await members.sign_up(email, password_hash, nickname)
                return log_in(shop, members, pair, next)
            except EmailTaken as error:
                form.fault("email", error.code)
            except (NicknameTaken, NicknameReserved) as error:
                form.fault("nickname", error.code)
        return _sign_up_page(shop, visitor, social, next, form)

    @post("/signout")
    async def sign_out(self, visitor: Here, shop: House, members: Members) -> Response[Any]:
        """Ends the session for every token of it, and forgets the cookie."""
        with suppress(Unauthenticated):  # it may have ended already
            await members.end(visitor.me.session_id)
        return go("/", cookies=[shop.forget("session")])

    @get("/me")
    async def profile(self, visitor: Here, shop: House, members: Members) -> Response[Any]:
        return render(shop, "me.html", visitor, member=await members.get(visitor.me.id))

    @get("/lang/{lang:str}")
    async def set_language(self, lang: FromPath[str], request: Asked, shop: House) -> Response[Any]:
        """Chooses the language; a preference of this browser alone."""
        if lang not in {"ko", "en"}:
            raise NotFound
        next = safe_next(request.query_params.get("next"))
        return go(next, cookies=[shop.cookie("lang", lang, LANGUAGE_LASTS_S)])


def _sign_in_page(
    shop: Shop, visitor: Visitor, social: SocialSignIn, next: str, form: Form | None
) -> Response[str]:
    status = 401 if form else 200
    ways = ways_in(social, next)
    return render(shop, "signin.html", visitor, status=status, next=next, form=form, ways=ways)


def _sign_up_page(
    shop: Shop, visitor: Visitor, social: SocialSignIn, next: str, form: Form | None
) -> Response[str]:
    status = 400 if form else 200
    ways = ways_in(social, next)
    return render(shop, "signup.html", visitor, status=status, next=next, form=form, ways=ways)


def ways_in(social: SocialSignIn, next: str) -> dict[str, str]:
    """Where each provider's sign-in begins that ends at `next`, a local path."""
    back = urlencode({"next": f"/signin/social?{urlencode({'next': next})}"})
    return {name: f"/api/auth/social/{name}?{back}" for name in social.names}


def password_in(form: Form) -> str:
    """A new password, as somebody typed it."""
    password = form.raw("password")
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        form.fault("password", _("{least}자 이상 입력해 주세요."), least=PASSWORD_LENGTH_MIN)
    return password


def log_in(shop: Shop, members: MemberService, pair: TokenPair, next: str) -> Response[Any]:
    """Signs a browser in with a pair just handed out, and sends it on; `next` is a local path."""
    return go(next, cookies=[shop.session(members.session_cookie(pair)), shop.forget("form")])
