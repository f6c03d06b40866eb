"""The fast path: the requests of a rush are served before the framework's routes begin.

To find a route, read its parameters and build a response takes the framework longer than the work
itself takes where many share it (`kit.concurrency.batching`). The framework's routes stay what is
documented and judge every request; a fast route takes only the requests that its route would
plainly accept, and answers them the same (tests/api/test_express.py). See docs/adr/0006.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from market.shared import log_context

from .idempotency import EncodedResponse
from .problems import PROBLEM_JSON, problem_response

ID = "[0-9a-f]{32}"
_HOST = re.compile(rb"[A-Za-z0-9.:\[\]-]*")

# Headers as a request brought them; None of those that came twice.
Headers: TypeAlias = Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class FastRoute:
    """Stands for the route at `template`; `serve` is given the request's headers and returns the
    response to come, or None for a request that the route had better judge."""

    method: str
    template: str
    serve: Callable[[HTTPScope, Headers], Awaitable[EncodedResponse] | None]

    @property
    def path(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", rf"(?P<\1>{ID})", self.template))


class FastPath:
    """Serves a request by a fast route where one takes it, and otherwise by the framework's."""

    def __init__(self, routes: ASGIApp, fast_routes: Sequence[FastRoute]) -> None:
        self._routes = routes
        self._fast_routes = [(route.method, route.path.fullmatch, route) for route in fast_routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            serving = self._serving(scope) if scope["type"] == ScopeType.HTTP else None
            answer = None if serving is None else await serving
        except Exception as error:  # as the framework does
            refused = problem_response(error).to_asgi_response(None, Request(scope))
            await refused(scope, receive, send)
            return
        if answer is None:
            await self._routes(scope, receive, send)
            return
        kind = PROBLEM_JSON if answer.problem else "application/json"
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            *((name.encode(), value.encode()) for name, value in answer.headers.items()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    def _serving(self, scope: HTTPScope) -> Awaitable[EncodedResponse] | None:
        for method, matches, route in self._fast_routes:
            if scope["method"] == method and (found := matches(scope["path"])):
                scope["path_params"] = ids = found.groupdict()
                headers = _headers(scope)
                host = headers.get(b"host", b"")
                if host is None or not _HOST.fullmatch(host):
                    return None
                serving = route.serve(scope, headers)
                if serving is not None:
                    scope["path_template"] = route.template
                    log_context.bind(**ids)
                return serving
        return None


def _headers(scope: HTTPScope) -> Headers:
    headers: dict[bytes, bytes | None] = {}
    for name, value in scope["headers"]:
        headers[name] = None if name in headers else value
    return headers
