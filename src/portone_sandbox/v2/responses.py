"""V2 responses: bodies, error types with their statuses, and stored idempotent responses."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.status_codes import HTTP_501_NOT_IMPLEMENTED

from portone_sandbox.core.clock import show_moment
from portone_sandbox.core.errors import InvalidRequest, Refused
from portone_sandbox.core.operations import not_played
from portone_sandbox.core.request import AnyRequest
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v2.operations import OPERATIONS

RESPONSE_RETENTION = timedelta(hours=3)
# An RFC 8941 string: 16–256 ASCII characters in double quotes.
_KEY = re.compile(r'"[\x20-\x7e]{16,256}"')
_BY_STATUS = {
    400: (
        "INVALID_REQUEST",
        "INVALID_PAYMENT_TOKEN",
        "MAX_TRANSACTION_COUNT_REACHED",
        "MAX_WEBHOOK_RETRY_COUNT_REACHED",
        "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
        "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED",
        "PROMOTION_PAY_METHOD_DOES_NOT_MATCH",
        "DISCOUNT_AMOUNT_EXCEEDS_TOTAL_AMOUNT",
    ),
    401: ("UNAUTHORIZED",),
    403: ("FORBIDDEN",),
    404: ("PAYMENT_NOT_FOUND", "CHANNEL_NOT_FOUND", "WEBHOOK_NOT_FOUND"),
    502: ("PG_PROVIDER",),
}
# Everything else that is documented is a conflict.
STATUS = {kind: status for status, kinds in _BY_STATUS.items() for kind in kinds}


class StoredResponse(msgspec.Struct):
    """A response that a repeated Idempotency-Key gets again."""

    status: int
    body: bytes


def respond(content: object, status: int = 200) -> Response[bytes]:
    """A JSON response."""
    return _response(StoredResponse(status, encode(content)))


def encode(content: object) -> bytes:
    """JSON with times as V2 writes them."""
    return msgspec.json.encode(_with_moments(content))


def _with_moments(content: object) -> object:
    if isinstance(content, Mapping):
        return {name: _with_moments(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_with_moments(item) for item in content]
    return show_moment(content) if isinstance(content, datetime) else content


def show_refusal(refusal: Refused) -> StoredResponse:
    """A documented error: `{type, message}` and its status."""
    body = {"type": refusal.type, "message": refusal.message, **refusal.extra}
    return StoredResponse(STATUS.get(refusal.type, 409), msgspec.json.encode(body))


def run_once(
    request: AnyRequest, sandbox: SandboxState, work: Callable[[], object]
) -> Response[bytes]:
    """Execute a change at most once per Idempotency-Key.

    One transaction stores the change and its response, so a crash between them cannot make a
    repeat execute twice. Different requests must not share a key: they get the first response.
    """
    key = _key_of(request)
    if key is None:
        return _response(_execute(sandbox, work))
    if (stored := find_stored_response(request, sandbox)) is not None:
        return stored
    with sandbox.store.transaction():
        response = _execute(sandbox, work)
        sandbox.store.store_response(
            key, sandbox.now() + RESPONSE_RETENTION, msgspec.json.encode(response)
        )
    return _response(response)


def find_stored_response(request: AnyRequest, sandbox: SandboxState) -> Response[bytes] | None:
    """The response stored for this request's key, if there is one."""
    key = _key_of(request)
    stored = sandbox.store.find_response(key, sandbox.now()) if key else None
    return _response(msgspec.json.decode(stored, type=StoredResponse)) if stored else None


def _execute(sandbox: SandboxState, work: Callable[[], object]) -> StoredResponse:
    try:
        with sandbox.store.transaction():
            return StoredResponse(200, encode(work()))
    except Refused as refusal:
        return show_refusal(refusal)


def _key_of(request: AnyRequest) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        raise InvalidRequest("Idempotency-Key must be 16 to 256 ASCII characters in double quotes")
    return given


def _response(stored: StoredResponse) -> Response[bytes]:
    return Response(stored.body, status_code=stored.status, media_type="application/json")


def refuse(_: AnyRequest, refusal: Refused) -> Response[bytes]:
    """The error response for a refusal raised outside of a handler."""
    return _response(show_refusal(refusal))


def refuse_http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Unknown paths and methods; those that PortOne has are named."""
    operation = OPERATIONS.find(request.method, request.url.path.removeprefix("/v2"))
    if operation:
        shown = {"type": "NOT_PLAYED", "message": not_played(operation)}
        return respond(shown, HTTP_501_NOT_IMPLEMENTED)
    kind = "NOT_FOUND" if error.status_code == 404 else "INVALID_REQUEST"  # noqa: PLR2004
    return respond({"type": kind, "message": error.detail}, error.status_code)
