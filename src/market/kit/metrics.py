"""How long requests take, by route, method and status, for Prometheus."""

import time
from collections.abc import Callable
from functools import cache

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Histogram

_SECONDS = Histogram(
    "market_request_duration_seconds",
    "time from a request's arrival to the end of its answer; its count is the requests",
    ["method", "path", "status_code"],
)


class RequestMetrics:
    """Times every request; `path` is the route's template, never an id.

    Litestar's own middleware keeps four series per request and looks each up by its labels, which
    under a rush cost as much as the framework itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Whoever makes up methods and paths must not make up series.
            path = scope.get("path_template", "")
            method = scope["method"] if path else ""
            _series(method, path, status)(time.perf_counter() - began)


@cache
def _series(method: str, path: str, status: int) -> Callable[[float], None]:
    """One series' own `observe`: a look-up by labels costs more than the counting."""
    return _SECONDS.labels(method, path, status).observe
