"""The express lane of the catalogue: who only looks is served before the routes begin.

To find a route, check types and build a response takes the framework twice what such a page itself
takes, and nothing is asked for as often. The routes of `http` stay what is documented and judges
every request; the lane takes those alone that they would plainly answer, and answers the same.
"""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import parse_qsl

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from market.kit.http import MOST_ITEMS, USUAL_ITEMS
from market.kit.problems import refusal
from market.shared.ids import MemberId, ProductId
from market.shared.page import Slice

from .domain import Status
from .http import LONGEST_SEARCH, ShopWindow
from .ports import Search

LIST = "/api/products"
DETAIL = f"{LIST}/{{product_id}}"
_ID = "[0-9a-f]{32}"
_OF_ONE = re.compile(f"{LIST}/({_ID})")
# What each part of a query plainly is. Something else may be right as well; the routes know.
_PLAIN = {
    "status": re.compile("|".join(Status)),
    "q": re.compile(rf"[^\0]{{1,{LONGEST_SEARCH}}}", re.DOTALL),
    "seller_id": re.compile(_ID),
    "limit": re.compile("[1-9][0-9]{0,2}"),
    "cursor": re.compile(_ID),
}


class ExpressLane:
    """Takes a GET of the list or of one product that brings no token, and lets all else pass."""

    def __init__(self, app: ASGIApp, window: Callable[[], ShopWindow]) -> None:
        self._app = app
        self._window = window

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        looking = self._looking(scope) if scope["type"] == ScopeType.HTTP else None
        if looking is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await looking
        except Exception as error:  # as the framework does
            refused = refusal(error).to_asgi_response(None, Request(scope))
            await refused(scope, receive, send)
            return
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _looking(self, scope: HTTPScope) -> Awaitable[bytes] | None:
        path = scope["path"]
        if not path.startswith(LIST) or scope["method"] != "GET":
            return None
        # Who brings a token is told if it is a bad one, and sees trades of their own.
        if any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        if path == LIST:
            asked = _asked(scope["query_string"])
            if asked is None:
                return None
            scope["path_template"] = LIST
            return self._window().page(*asked)
        one = _OF_ONE.fullmatch(path)
        if one is None:
            return None
        scope["path_template"] = DETAIL
        scope["path_params"] = {"product_id": one[1]}
        return self._window().detail(ProductId(one[1]), None)


@lru_cache(1_000)
def _asked(query: bytes) -> tuple[Search, Slice] | None:
    """The page that a plain query asks for."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        return None
    given = dict(pairs)
    if len(given) < len(pairs):
        return None
    if any(name not in _PLAIN or not _PLAIN[name].fullmatch(given[name]) for name in given):
        return None
    limit = int(given.get("limit", USUAL_ITEMS))
    if limit > MOST_ITEMS:
        return None
    status, seller = given.get("status"), given.get("seller_id")
    search = Search(
        Status(status) if status else None, given.get("q"), MemberId(seller) if seller else None
    )
    return search, Slice(limit, given.get("cursor"))
