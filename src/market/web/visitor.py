"""Who stands before a page: their session, their language, and the seal of their forms."""

import base64
import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler

from market.members.service import MemberService, SessionCookie
from market.shared.errors import Forbidden, Unauthenticated
from market.shared.ids import MemberId, SessionId, well_formed
from market.shared.principals import Principal

from .form_body import FormBody

Lang = Literal["ko", "en"]
LANGUAGE_LASTS_S = 365 * 24 * 3600
# A handler with this option takes forms of sessions that have ended, to keep what is in them.
KEEPS_FORMS = "keeps_forms"
_FLASH_LASTS_S = 60
_LONGEST_NOTE = 300  # of a cookie browsers keep 4 kB
_AT_HOME = {"localhost", "127.0.0.1", "::1"}
_CHANGES_NOTHING = {"GET", "HEAD", "OPTIONS"}


class LoginRequired(Unauthenticated):
    message = "Sign in to see this page."


class SignedOut(LoginRequired):
    code = "signed_out"
    message = "You were signed out since this page was loaded. Sign in again to continue."


class CsrfError(Forbidden):
    code = "forged_form"
    message = "This form did not come from our page, or the page is too old. Load it again."


@dataclass(frozen=True, slots=True)
class Shop:
    """What pages need beside the services: the secret their forms are sealed with, and whether
    cookies travel over TLS alone, as they do everywhere but on one's own machine."""

    secret: str
    public_url: str

    @property
    def secure(self) -> bool:
        return urlsplit(self.public_url).hostname not in _AT_HOME

    def cookie(self, name: str, value: str, lasts_s: int | None, *, lax: bool = True) -> Cookie:
        return Cookie(
            key=self.named(name),
            value=value,
            max_age=lasts_s,
            httponly=True,
            samesite="lax" if lax else "strict",
            secure=self.secure,
        )

    def named(self, name: str) -> str:
        """With TLS no neighbouring host can plant a cookie of this name (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-market_{name}" if self.secure else f"market_{name}"

    def session(self, given: SessionCookie) -> Cookie:
        return self.cookie("session", given.token, int(given.lasts.total_seconds()))

    def forget(self, name: str) -> Cookie:
        return self.cookie(name, "", 0)

    def seal(self, bearer: str) -> str:
        """The token that a form carries for whoever was shown it."""
        return hmac.digest(self.secret.encode(), f"form\0{bearer}".encode(), "sha256").hex()

    def flash(self, bearer: str, path: str, code: str, note: str) -> Cookie:
        """Lets the page at `path` say `code` once, to this bearer alone: no link makes it."""
        body = base64.urlsafe_b64encode(note[:_LONGEST_NOTE].encode()).decode()
        value = f"{body}.{self._flash_digest(bearer, path, code, body)}"
        return self.cookie("flash", value, _FLASH_LASTS_S)

    def flashed(self, bearer: str, path: str, code: str, cookie: str) -> str | None:
        """The note beside what the page is to say; None when nothing led to this page just now."""
        body, _, digest = cookie.partition(".")
        expected = self._flash_digest(bearer, path, code, body)
        # safeguard: flash message authenticated
        if not hmac.compare_digest(digest.encode(), expected.encode()):
            return None
        return base64.urlsafe_b64decode(body).decode()

    def _flash_digest(self, bearer: str, path: str, code: str, body: str) -> str:
        said = f"flash\0{bearer}\0{path}\0{code}\0{body}"
        return hmac.digest(self.secret.encode(), said.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody before a page. `bearer` names their session, or a stranger's browser. `signed_out`
    is the member whom the form was shown that they send, where its session has ended since. `say`
    is the code of what the page tells of an act that has led to it, and `note` is beside it."""

    caller: Principal | None
    lang: Lang
    unread: int
    bearer: str
    seal: str
    path: str
    shop: Shop
    say: str = ""
    note: str = ""
    refused: str = ""
    newcomer: bool = False
    signed_out: MemberId | None = None

    @property
    def me(self) -> Principal:
        """Raises LoginRequired."""
        if self.caller is None:
            raise LoginRequired
        return self.caller

    def needs_member(self) -> None:
        """Raises LoginRequired."""
        if self.caller is None:
            raise LoginRequired

    @property
    def session(self) -> str:
        """The session that a form is shown to; empty for a stranger."""
        return self.caller.session_id if self.caller else ""


async def provide_visitor(request: Request[Any, Any, State]) -> Visitor:
    """The visitor of this request, found once."""
    found: Visitor | None = getattr(request.state, "visitor", None)
    if found is None:
        found = request.state.visitor = await _visitor(request)
    return found


async def _visitor(request: Request[Any, Any, State]) -> Visitor:
    market = request.app.state.market
    cookie = request.cookies.get(market.shop.named("session"))
    caller = await _caller(market.members, cookie)
    if caller is None:
        return stranger(request)
    unread = await market.notifications.unread(caller.id)
    return _visit(request, caller, _bearer(caller.session_id), unread=unread)


def stranger(request: Request[Any, Any, State]) -> Visitor:
    """Somebody who is not signed in: their browser is told from others by a cookie."""
    shop: Shop = request.app.state.market.shop
    kept = request.cookies.get(shop.named("form"), "")
    newcomer = len(kept) != 2 * _STRANGER_BYTES
    bearer = secrets.token_hex(_STRANGER_BYTES) if newcomer else kept
    return _visit(request, None, f"stranger {bearer}", newcomer=newcomer)


def _visit(
    request: Request[Any, Any, State],
    caller: Principal | None,
    bearer: str,
    *,
    unread: int = 0,
    newcomer: bool = False,
) -> Visitor:
    shop: Shop = request.app.state.market.shop
    code = request.query_params.get("say", "")
    given = request.cookies.get(shop.named("flash"), "")
    note = shop.flashed(bearer, request.url.path, code, given) if code and given else None
    return Visitor(
        caller=caller,
        lang="en" if request.cookies.get(shop.named("lang")) == "en" else "ko",
        unread=unread,
        bearer=bearer,
        seal=shop.seal(bearer),
        path=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        shop=shop,
        say="" if note is None else code,
        note=note or "",
        refused=request.query_params.get("refused", ""),
        newcomer=newcomer,
    )


_STRANGER_BYTES = 16


async def _caller(members: MemberService, cookie: str | None) -> Principal | None:
    """A cookie that is no longer good makes a stranger of its bearer, no more."""
    if not cookie:
        return None
    try:
        return await members.authenticate_cookie(cookie)
    except Unauthenticated:
        return None


async def csrf_guard(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """The guard of every page that changes something: the form is one that we showed to this very
    visitor. Raises CsrfError, and SignedOut where their session has ended since.

    Two walls: the browser says from which site a form comes, and the form carries a seal over the
    session that no other site can read. No more of the body is read than that takes: the rest comes
    when the handler, too, has seen that this visitor may send it.
    """
    request: Request[Any, Any, State] = Request(connection.scope, connection.receive)
    visitor = await provide_visitor(request)
    if request.method in _CHANGES_NOTHING:
        return
    origin = request.headers.get("origin")
    if origin is not None and not _ours(origin, request):  # safeguard: form's origin checked
        raise CsrfError
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise CsrfError
    body = FormBody.of(request)
    given = await body.token("seal")
    # safeguard: CSRF token compared
    if not hmac.compare_digest(given.encode(), visitor.seal.encode()):
        session = body.fields.get("session", "")
        await _of_an_ended_session(request, visitor, handler, given, session)
    elif body.has_files:
        visitor.needs_member()  # of a stranger's files nothing is read


async def _of_an_ended_session(
    request: Request[Any, Any, State],
    visitor: Visitor,
    handler: BaseRouteHandler,
    given: str,
    session: str,
) -> None:
    """Nothing is changed by a form of a session that has ended, but what its member typed need not
    be lost. Raises SignedOut, CsrfError."""
    market = request.app.state.market
    ours = market.shop.seal(_bearer(session))
    # safeguard: CSRF token of an ended session compared
    if not well_formed(session) or not hmac.compare_digest(given.encode(), ours.encode()):
        raise CsrfError
    member: MemberId | None = await market.members.form_owner(SessionId(session))
    # safeguard: one member's form is not kept for another
    if visitor.caller is not None and visitor.caller.id != member:
        raise CsrfError
    if member is not None and handler.opt.get(KEEPS_FORMS):
        request.state.visitor = replace(visitor, signed_out=member)
    elif visitor.caller is None:
        raise SignedOut
    else:
        raise CsrfError


def _bearer(session: str) -> str:
    return f"session {session}"


def _ours(origin: str, request: Request[Any, Any, State]) -> bool:
    shop: Shop = request.app.state.market.shop
    return urlsplit(origin).netloc in {
        request.headers.get("host", ""),
        urlsplit(shop.public_url).netloc,
    }


def safe_next(text: str | None, otherwise: str = "/") -> str:
    """Where a page may send somebody on: a path of this site, never another site's address."""
    if not text or not text.startswith("/") or len(text) > _LONGEST_PATH:
        return otherwise
    # Browsers read \ as /, and skip tabs and line ends: //evil, /\evil and /<tab>/evil all lead
    # away from here.
    if text.startswith("//") or "\\" in text or not text.isprintable():
        return otherwise
    parts = urlsplit(text)
    return otherwise if parts.scheme or parts.netloc else text


_LONGEST_PATH = 500
Here = NamedDependency[Visitor]
