"""What is seen of every request from outside of its route: an id, a line in the log, a time.

It stands around everything, for what matches no route must leave its trace as well, and in one
layer, for it is paid for by every request.
"""

import re
import time
from collections.abc import Awaitable, Callable
from functools import cache

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Histogram
from uuid_utils import uuid7

from market.shared import log_context

from .logging import AccessLogger, named

# Litestar's own middleware keeps four series per request and looks each up by its labels, which
# under a rush cost as much as the framework itself.
_SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "time from a request's arrival to the end of its answer; its count is the requests",
    ["method", "path", "status_code"],
)
_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
# What the API tells is somebody's own, or changes with the next purchase. Pages say it themselves.
_UNKEPT = ((b"cache-control", b"no-store"),)
PATH_LENGTH_MAX = 200  # our own are shorter by half: who sends 50 kB must not fill the log with it


class AccessLogMiddleware:
    """Gives every request an id (the client's X-Request-Id if it is a plain word), tells it back,
    logs one line when the answer has begun, and counts its time. Neither query strings nor bodies
    are logged; `path` in the metrics is the route's template, never an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._access: AccessLogger = structlog.wrap_logger(None, wrapper_class=AccessLogger).bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        id = given.decode() if _ID.fullmatch(given) else uuid7().hex
        log_context.clear_and_bind(request_id=id)

        def noting(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # Asked now, and not before: the routes see "//api" as "/api".
                added = _UNKEPT if scope["path"].startswith("/api/") else ()
                message["headers"] = [*message["headers"], *added, (b"x-request-id", id.encode())]
                self._note(scope, status, time.perf_counter() - began)
            return send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Whoever makes up methods and paths must not make up series.
            path = scope.get("path_template", "")
            _series(scope["method"] if path else "", path, status)(time.perf_counter() - began)

    def _note(self, scope: HTTPScope, status: int, seconds: float) -> None:
        self._access.write(
            {
                "event": "request",
                **named(scope),
                "method": scope["method"],
                "path": scope["path"][:PATH_LENGTH_MAX],
                "status": status,
                "ms": round(seconds * 1000, 1),
            }
        )


@cache
def _series(method: str, path: str, status: int) -> Callable[[float], None]:
    """One series' own `observe`: a look-up by labels costs more than the counting."""
    return _SECONDS.labels(method, path, status).observe
