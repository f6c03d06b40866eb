"""The express lane: what a rush asks for is served before the routes begin.

To find a route, read its parameters and build a response takes the framework longer than the work
itself takes where many share it (`kit.together`). The routes stay what is documented and judges
every request; a door of the lane takes those alone that its route would plainly let in, and
answers them the same (tests/api/test_express.py). See docs/adr/0006.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from market.shared import about

from .idempotency import Answer
from .problems import PROBLEM_JSON, refusal

ID = "[0-9a-f]{32}"
_HOST = re.compile(rb"[A-Za-z0-9.:\[\]-]*")

# Headers as a request brought them; None of those that came twice.
Headers: TypeAlias = Mapping[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Door:
    """Stands for the route at `template`; `let_in` has the request's headers, and gives an answer
    to come, or None for whom the route had better see."""

    method: str
    template: str
    let_in: Callable[[HTTPScope, Headers], Awaitable[Answer] | None]

    @property
    def path(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", rf"(?P<\1>{ID})", self.template))


class ExpressLane:
    """Goes through its doors who may, and on to the routes who must."""

    def __init__(self, routes: ASGIApp, doors: Sequence[Door]) -> None:
        self._routes = routes
        self._doors = [(door.method, door.path.fullmatch, door) for door in doors]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            serving = self._serving(scope) if scope["type"] == ScopeType.HTTP else None
            answer = None if serving is None else await serving
        except Exception as error:  # as the framework does
            refused = refusal(error).to_asgi_response(None, Request(scope))
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

    def _serving(self, scope: HTTPScope) -> Awaitable[Answer] | None:
        for method, matches, door in self._doors:
            if scope["method"] == method and (found := matches(scope["path"])):
                scope["path_params"] = ids = found.groupdict()
                headers = _headers(scope)
                host = headers.get(b"host", b"")
                if host is None or not _HOST.fullmatch(host):
                    return None
                serving = door.let_in(scope, headers)
                if serving is not None:
                    scope["path_template"] = door.template
                    about.add(**ids)
                return serving
        return None


def _headers(scope: HTTPScope) -> Headers:
    headers: dict[bytes, bytes | None] = {}
    for name, value in scope["headers"]:
        headers[name] = None if name in headers else value
    return headers
