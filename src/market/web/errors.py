"""What a browser sees when something can't be done: a page in its language, never a stack trace."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from market.kit import problems
from market.kit.idempotency import Answer
from market.kit.problems import Problem
from market.shared.errors import MarketError, Unauthenticated

from .page import go, render
from .visitor import local_path, stranger

Visit = Request[Any, Any, State]
# Faces of the market that are not for browsers, whatever they say they accept.
_MACHINES = ("/api/", "/webhooks/", "/health/", "/metrics", "/docs", "/openapi", "/static/")


def on_unauthenticated(request: Visit, _: Unauthenticated) -> Response[Any]:
    """Sends a stranger to the sign-in page, and from there back."""
    return go("/signin", next=_came_from(request))


def on_market_error(request: Visit, error: MarketError) -> Response[Any]:
    return _page(request, problems.of_market_error(error))


def on_http_exception(request: Visit, error: HTTPException) -> Response[Any]:
    answer = problems.on_http_exception(request, error)
    return _page(request, answer.content)


def on_any_exception(request: Visit, error: Exception) -> Response[Any]:
    return _page(request, problems.on_any_exception(request, error).content)


def on_unknown_path(request: Visit, error: HTTPException) -> Response[Any]:
    """An address that leads nowhere: a page for a browser, a problem for a program."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not request.url.path.startswith(_MACHINES):
        return on_http_exception(request, error)
    return problems.on_http_exception(request, error)


def kept_refusal(request: Visit, answer: Answer) -> Response[Any]:
    """What was refused to a form the first time, said again."""
    return _page(request, msgspec.json.decode(answer.body, type=Problem))


HANDLERS: Mapping[type[Exception] | int, Any] = {
    Unauthenticated: on_unauthenticated,
    MarketError: on_market_error,
    HTTPException: on_http_exception,
    Exception: on_any_exception,
}


def _page(request: Visit, problem: Problem) -> Response[Any]:
    # Litestar's exception handlers can't wait: the guard has found the visitor before, but for an
    # address that leads nowhere, where everybody is a stranger.
    visitor = getattr(request.state, "visitor", None) or stranger(request)
    shop = request.app.state.market.shop
    back = _came_from(request) if request.method == "POST" else "/"
    return render(shop, "error.html", visitor, status=problem.status, code=problem.code, back=back)


def _came_from(request: Visit) -> str:
    """The page to return to: this one, or the one whose form was sent."""
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        return local_path(request.url.path + query)
    origin = f"{request.base_url.scheme}://{request.headers.get('host', '')}"
    referer = request.headers.get("referer", "")
    return local_path(referer.removeprefix(origin)) if referer.startswith(f"{origin}/") else "/"
