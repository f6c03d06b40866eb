"""The page kit: templates, the headers every page carries, and the ways to answer."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response, get
from litestar.datastructures import Cookie, State
from litestar.params import FromPath
from litestar.response import Redirect
from markupsafe import Markup

from market.shared.errors import NotFound

from . import console_filters, filters
from .messages import CONSOLE_FLASH, FLASH, FLASH_FAILURES, PROBLEMS
from .translation import Translator
from .visitor import Lang, Shop, Visitor

_HERE = Path(__file__).parent
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = "public, max-age=31536000, immutable"

ASSETS: Mapping[str, bytes] = {
    path.name: path.read_bytes()
    for path in sorted((_HERE / "static").iterdir())
    if path.suffix in _KINDS
}
_DIGESTS = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in ASSETS.items()}

# Nothing is loaded from anywhere else, nothing runs or is dressed in line, nobody frames us.
_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: that would make browsers hide a form's origin from us as well.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def policy(sdk_url: str | None = None) -> str:
    """The page's Content-Security-Policy; with the checkout window, its SDK's own origin is let in.

    A real window leads on to card companies' own sites, which nobody can list beforehand: there,
    frames and forms may go to any site with TLS.
    """
    rules = dict(_POLICY)
    if sdk_url is not None:
        parts = urlsplit(sdk_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        beyond = f"{origin} https:" if parts.scheme == "https" else origin
        rules["script-src"] += f" {origin}"
        for name in ("connect-src", "form-action"):
            rules[name] += f" {beyond}"
        rules["frame-src"] = beyond
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _headers(sdk_url: str | None) -> dict[str, str]:
    headers = {**HEADERS, "Content-Security-Policy": policy(sdk_url)}
    if sdk_url is not None:  # a checkout window that is a popup talks to its opener
        headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    return headers


def _asset_url(name: str) -> str:
    return f"/static/{name}?v={_DIGESTS[name]}"


def _now() -> str:
    """For scripts: a browser's own clock may be wrong."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def more_url(path: str, cursor: str) -> str:
    """The same list from where its page ended."""
    parts = urlsplit(path)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name != "cursor"]
    return f"{parts.path}?{urlencode([*kept, ('cursor', cursor)])}"


def _environment(lang: Lang) -> Environment:
    """The templates of one language: Jinja's own names for translating, as globals."""
    environment = Environment(
        loader=PackageLoader("market.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    translator = Translator(lang)
    environment.filters.update(
        {**filters.for_language(translator), **console_filters.for_language(translator)}
    )
    environment.globals.update(
        _=translator.gettext, _n=translator.ngettext, _p=translator.pgettext, lang=lang
    )
    environment.globals.update(asset=_asset_url, more_url=more_url, now=_now)
    environment.globals.update(
        flash=FLASH, console_flash=CONSOLE_FLASH, flash_failures=FLASH_FAILURES, problems=PROBLEMS
    )
    return environment


_ENVIRONMENTS: Mapping[Lang, Environment] = {"ko": _environment("ko"), "en": _environment("en")}


_VERSION = "the version of what follows"


def live_part(name: str, visitor: Visitor, **facts: Any) -> tuple[str, Markup]:
    """The part `name` of a page that updates itself, and its version, which is the same as long as
    the part is. The template carries it, as `{{ version }}`, to the next request."""
    template = _ENVIRONMENTS[visitor.lang].get_template(name)
    body = template.render(visitor=visitor, version=_VERSION, **facts)
    version = hashlib.sha256(body.encode()).hexdigest()[:16]
    # What the templates render is escaped already.
    return version, Markup(body.replace(_VERSION, version, 1))  # noqa: S704


def show_part(part: Markup) -> Response[str]:
    """Answers a page that updates itself."""
    return Response(part, media_type=MediaType.HTML, headers=_headers(None))


def nothing_new() -> Response[None]:
    """Answers a page that shows everything already."""
    return Response(None, status_code=204, headers=_headers(None))


def render(
    shop: Shop,
    name: str,
    visitor: Visitor,
    *,
    status: int = 200,
    cookies: Sequence[Cookie] = (),
    sdk_url: str | None = None,
    **facts: Any,
) -> Response[str]:
    """The page `name` for a visitor, in their language, with every header a page needs."""
    template = _ENVIRONMENTS[visitor.lang].get_template(name)
    body = template.render(visitor=visitor, sdk_url=sdk_url, **facts)
    given = list(cookies)
    if visitor.say:  # once: a page that is loaded again says nothing
        given.append(shop.forget("flash"))
    if visitor.newcomer:
        given.append(shop.cookie("form", visitor.bearer.partition(" ")[2], None))
    return Response(
        body,
        status_code=status,
        media_type=MediaType.HTML,
        cookies=given,
        headers=_headers(sdk_url),
    )


def go(path: str, *, cookies: Sequence[Cookie] = (), **query: str) -> Redirect:
    """Sends a browser on after a form: it asks with GET, so that reloading repeats nothing."""
    if query:
        path += ("&" if "?" in path else "?") + urlencode(query)
    return Redirect(path, status_code=303, cookies=list(cookies), headers={**HEADERS})


def flash(visitor: Visitor, path: str, code: str, note: str = "") -> Redirect:
    """Sends a browser on after an act, to a page that says once what came of it: `code`, and beside
    it a `note` in somebody else's words. Anybody can make a link to that address, but it alone says
    nothing."""
    cookie = visitor.shop.flash(visitor.bearer, path.partition("?")[0], code, note)
    return go(path, cookies=[cookie], say=code)


@get("/static/{name:str}", include_in_schema=False)
async def asset(name: FromPath[str], request: Request[Any, Any, State]) -> Response[bytes]:
    """Style and scripts, from memory; an address names its content, so it is kept for good."""
    if name not in ASSETS:
        raise NotFound
    current = request.query_params.get("v") == _DIGESTS[name]
    return Response(
        ASSETS[name],
        media_type=_KINDS[Path(name).suffix],
        headers={
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": _YEAR if current else "no-cache",
        },
    )
