"""ASGI middleware that picks the store a call names, by `X-Sandbox-Store` or `/stores/NAME/…`."""

from collections.abc import Callable
from urllib.parse import quote, unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from portone_sandbox.core.errors import InvalidRequest
from portone_sandbox.core.origin import below
from portone_sandbox.core.problem import problem_document
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import Stores, serving

_PREFIX = "/stores/"
_HEADER = b"x-sandbox-store"


class StoreMiddleware:
    """The outermost middleware: everything behind it sees one sandbox, at paths without a store."""

    def __init__(self, stores: Stores, app_of: Callable[[SandboxState], ASGIApp]) -> None:
        self._stores = stores
        self._app_of = app_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a call to its store."""
        if scope["type"] != ScopeType.HTTP:
            await self._app_of(self._stores.main)(scope, receive, send)
            return
        by_path = _take_from_path(scope)
        try:
            sandbox = self._stores.get(_name_of(scope, by_path))
        except InvalidRequest as refusal:
            await _refuse(send, refusal.message)
            return
        path = "" if by_path is None else _PREFIX + quote(by_path, safe="")
        with below(path), serving(sandbox):
            await self._app_of(sandbox)(scope, receive, send)


def _take_from_path(scope: HTTPScope) -> str | None:
    """Cut `/stores/NAME` off the path, and return the name; None if the path names no store."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    # An escaped slash in a name is no separator, so the raw path is what is split.
    parts = raw.partition(b"?")[0].decode("ascii", "replace").split("/", 3)
    if not raw.startswith(_PREFIX.encode()):
        return None
    rest = "/" + (parts[3] if len(parts) > 3 else "")  # noqa: PLR2004 - what follows the name
    scope["raw_path"], scope["path"] = rest.encode(), unquote(rest)
    return unquote(parts[2])


def _name_of(scope: HTTPScope, by_path: str | None) -> str:
    """The name of the store. Raises InvalidRequest if path and header name different ones."""
    given = dict(scope["headers"]).get(_HEADER)
    by_header = None if given is None else given.decode("utf-8", "replace")
    if by_path is not None and by_header not in (None, by_path):
        raise InvalidRequest("the path and X-Sandbox-Store name different stores")
    name = by_header if by_path is None else by_path
    if name == "":
        raise InvalidRequest("a store's name is empty")
    return name or ""


async def _refuse(send: Send, message: str) -> None:
    body = problem_document(400, "invalid_request", message)
    headers = [(b"content-type", b"application/problem+json")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
