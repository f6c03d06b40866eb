"""ASGI middleware that maps a call to the sandbox's own paths: HEAD, root calls, slashes in ids."""

import re
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from portone_sandbox.core.origin import found_at
from portone_sandbox.core.request import SLASH

# Calls that need no credential, or that only one version has.
_V1_ONLY = ("/users/getToken", "/vbanks", "/subscribe", "/payments/prepare", "/payments/find")
_V2_ONLY = ("/login/api-secret", "/token/refresh", "/banks", "/payments-by-cursor", "/platform")
_HOSTS = {b"api.iamport.kr": "/v1", b"api.portone.io": "/v2"}
_OWN = re.compile(
    r"/(v1|v2|control|checkout|sdk|static|oauth|dashboard)(/|$)|/health$|/$|$", re.ASCII
)
# V1's tokens are 40 hexadecimal digits; V2's are not.
_V1_TOKEN = re.compile(rb"[0-9a-f]{40}")


class RoutingMiddleware:
    """The outermost middleware: everything behind it sees the sandbox's own paths."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Map the call, and forward it."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        _mark_escaped_slashes(scope)
        if not _OWN.match(scope["path"]):
            scope["path"] = _version_at_root(scope) + scope["path"]
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
            send = _without_body(send)
        with found_at(scope["scheme"], _host_of(scope)):
            await self._app(scope, receive, send)


def _host_of(scope: HTTPScope) -> str:
    return dict(scope["headers"]).get(b"host", b"").decode("latin-1")


def _mark_escaped_slashes(scope: HTTPScope) -> None:
    raw = scope.get("raw_path") or b""
    if b"%2f" in raw.lower():
        marked = raw.decode("ascii", "replace").partition("?")[0]
        for escape in ("%2F", "%2f"):
            marked = marked.replace(escape, SLASH)
        scope["path"] = unquote(marked)


def _version_at_root(scope: HTTPScope) -> str:
    """The prefix that a call at the root lacks: clients keep a base URL's origin alone.

    The host decides, then the credential, then paths that one version has.
    """
    headers, path = dict(scope["headers"]), scope["path"]
    host = headers.get(b"host", b"").partition(b":")[0]
    if host in _HOSTS:
        return _HOSTS[host]
    credential = headers.get(b"authorization", b"").strip()
    scheme, _, token = credential.partition(b" ")
    if b"x-imptokenheader" in headers or _V1_TOKEN.fullmatch(token or scheme):
        return "/v1"
    if scheme.lower() == b"portone" or path.startswith(_V2_ONLY):
        return "/v2"
    if path.startswith(_V1_ONLY):
        return "/v1"
    return "/v2" if scheme.lower() == b"bearer" else "/v1" if credential else ""


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head
