"""What a browser sees when something can't be done: a page in its language, never a stack trace."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from market.kit.http import problems
from market.kit.http.idempotency import EncodedResponse
from market.kit.http.problems import Problem
from market.kit.http.request import wants_page
from market.shared.errors import MarketError, Unauthenticated

from .page import go, render
from .visitor import SignedOut, Visitor, provide_visitor, safe_next, stranger

AppRequest = Request[Any, Any, State]
# Faces of the market that are not for browsers, whatever they say they accept.
_MACHINES = ("/api/", "/webhooks/", "/health/", "/metrics", "/docs", "/openapi", "/static/")


def on_unauthenticated(request: AppRequest, error: Unauthenticated) -> Response[Any]:
    """Sends a stranger to the sign-in page, and from there back."""
    back = _came_from(request)
    if isinstance(error, SignedOut):
        return go("/signin", next=back, refused=error.code)
    return go("/signin", next=back)


def on_market_error(request: AppRequest, error: MarketError) -> Response[Any]:
    return _page(request, problems.of_market_error(error))


def on_http_exception(request: AppRequest, error: HTTPException) -> Response[Any]:
    answer = problems.on_http_exception(request, error)
    return _page(request, answer.content)


def on_any_exception(request: AppRequest, error: Exception) -> Response[Any]:
    return _page(request, problems.on_any_exception(request, error).content)


def on_unknown_path(request: AppRequest, error: HTTPException) -> Response[Any]:
    """An address that leads nowhere, or not that way: a page for a browser, a problem for a
    program."""
    if wants_page(request) and not request.url.path.startswith(_MACHINES):
        return on_http_exception(request, error)
    return problems.on_http_exception(request, error)


def kept_refusal(request: AppRequest, answer: EncodedResponse) -> Response[Any]:
    """What was refused to a form the first time, said again."""
    return _page(request, msgspec.json.decode(answer.body, type=Problem))


HANDLERS: Mapping[type[Exception] | int, Any] = {
    Unauthenticated: on_unauthenticated,
    MarketError: on_market_error,
    HTTPException: on_http_exception,
    Exception: on_any_exception,
}


class _ErrorPage(Response[None]):
    """A problem as its visitor's own page. Litestar's exception handlers can't wait; sending an
    answer can, and where no guard ran before (an address that leads nowhere) the visitor is found
    only then."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(None, status_code=problem.status)
        self._problem = problem

    def to_asgi_response(  # type: ignore[override] # Litestar only calls what it gets
        self, app: None, request: AppRequest, **more: Any
    ) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            page = self._rendered(request, await _whoever(request))
            await page.to_asgi_response(app=app, request=request, **more)(scope, receive, send)

        return answer

    def _rendered(self, request: AppRequest, visitor: Visitor) -> Response[str]:
        shop = request.app.state.market.shop
        back = _came_from(request) if request.method == "POST" else "/"
        status, code = self._problem.status, self._problem.code
        return render(shop, "error.html", visitor, status=status, code=code, back=back)


def _page(_: AppRequest, problem: Problem) -> Response[Any]:
    return _ErrorPage(problem)


async def _whoever(request: AppRequest) -> Visitor:
    """The visitor, or a stranger where what went wrong keeps us from finding out."""
    try:
        return await provide_visitor(request)
    except Exception:  # the page tells of the first trouble, not of this one
        return stranger(request)


def _came_from(request: AppRequest) -> str:
    """The page to return to: this one, or the one whose form was sent."""
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        return safe_next(request.url.path + query)
    origin = f"{request.base_url.scheme}://{request.headers.get('host', '')}"
    referer = request.headers.get("referer", "")
    return safe_next(referer.removeprefix(origin)) if referer.startswith(f"{origin}/") else "/"
