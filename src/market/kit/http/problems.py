"""Every error a client sees: `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from market.shared import errors

PROBLEM_JSON = "application/problem+json"

# The only place where an error's kind becomes a status.
STATUS_OF: Mapping[type[errors.MarketError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UpstreamUnavailable: HTTPStatus.BAD_GATEWAY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# What the framework refuses by itself, in our words.
_CODE_OF_STATUS: Mapping[int, str] = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_too_slow",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}

_log = structlog.get_logger()


class Problem(Struct, omit_defaults=True):
    """What went wrong, for people (`detail`) and for programs (`code`).

    `about` names the things it concerns; `errors` lists the fields that could not be read.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    about: dict[str, str | int] = {}
    errors: list[dict[str, str]] = []


class BodyInvalid(errors.Invalid):
    message = "The body is not the JSON that this endpoint accepts."

    def __init__(self, fields: list[dict[str, str]]) -> None:
        self.fields = fields
        super().__init__()


def of_market_error(error: errors.MarketError) -> Problem:
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS_OF)
    fields = error.fields if isinstance(error, BodyInvalid) else None
    return _problem(STATUS_OF[kind], error.code, error.detail, about=error.context, fields=fields)


def respond(problem: Problem) -> Response[Problem]:
    headers = {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY}:
        headers["Retry-After"] = "1"
    if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = str(problem.about.get("retry_after", 1))
    return Response(problem, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


def on_market_error(_: Request[Any, Any, State], error: errors.MarketError) -> Response[Problem]:
    return respond(of_market_error(error))


def on_http_exception(_: Request[Any, Any, State], error: HTTPException) -> Response[Problem]:
    """The framework's own refusals: unknown path, wrong method, malformed or ill-typed JSON."""
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status.value not in _CODE_OF_STATUS:
        return _internal(error)
    code = _CODE_OF_STATUS.get(status, "invalid_request")
    problem = _problem(status, code, _detail(error, status), fields=_fields(error.extra))
    response = respond(problem)
    response.headers.update(error.headers or {})
    return response


def on_any_exception(_: Request[Any, Any, State], error: Exception) -> Response[Problem]:
    return _internal(error)


def problem_response(error: Exception) -> Response[Problem]:
    """The answer of whoever serves requests without the framework."""
    return (
        respond(of_market_error(error))
        if isinstance(error, errors.MarketError)
        else _internal(error)
    )


async def not_found_as_problem(response: Response[Any]) -> Response[Any]:
    """The documentation's own "not found" is a page of HTML; ours is a problem, everywhere."""
    if response.status_code == HTTPStatus.NOT_FOUND and response.media_type != PROBLEM_JSON:
        return respond(of_market_error(errors.NotFound()))
    return response


EXCEPTION_HANDLERS: Mapping[type[Exception] | int, Any] = {
    errors.MarketError: on_market_error,
    HTTPException: on_http_exception,
    Exception: on_any_exception,
}


# What may become of any request, and of any that has a body.
_ALWAYS = (503,)
_WITH_BODY = (400, 408, 413, 415)


def problem_responses(*statuses: int, body: bool = False) -> dict[int, ResponseSpec]:
    """For a route's OpenAPI entry: it may answer these statuses with a problem, and those that
    any route may; with `body`, those too that any body may get."""
    every = {*statuses, *_ALWAYS, *(_WITH_BODY if body else ())}
    return {
        status: ResponseSpec(
            Problem,
            description=HTTPStatus(status).phrase,
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for status in sorted(every)
    }


def _internal(error: Exception) -> Response[Problem]:
    """A bug: everything goes to the log, nothing to the client."""
    _log.error("unexpected_error", exc_info=error)
    return respond(
        _problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side."
        )
    )


def _problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    about: Mapping[str, str | int] | None = None,
    fields: list[dict[str, str]] | None = None,
) -> Problem:
    return Problem(
        type=f"urn:wanted-market:problem:{code}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        code=code,
        about=dict(about or {}),
        errors=fields or [],
    )


def _detail(error: HTTPException, status: HTTPStatus) -> str:
    """The framework's words on parameters repeat the whole address: a secret that somebody put
    into its query would come back in the answer."""
    if isinstance(error, ValidationException):
        return "The request does not have what this takes."
    return error.detail or status.phrase


def _fields(extra: object) -> list[dict[str, str]]:
    """Litestar tells per field what is wrong with it; the value itself is never repeated."""
    if not isinstance(extra, list):
        return []
    return [
        {"field": str(item.get("key", "")), "detail": str(item.get("message", ""))}
        for item in extra
        if isinstance(item, dict)
    ]
