"""How V2 answers: bodies, error types with their statuses, and answers kept for a key."""

import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from portone_sandbox.core.errors import InvalidRequest, Refused
from portone_sandbox.core.request import AnyRequest
from portone_sandbox.core.state import World

KEPT_FOR = timedelta(hours=3)
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


class Kept(msgspec.Struct):
    """An answer that a repeated key gets again."""

    status: int
    body: bytes


def respond(shown: object, status: int = 200) -> Response[bytes]:
    """A JSON answer."""
    return _response(Kept(status, msgspec.json.encode(shown)))


def show_refusal(refusal: Refused) -> Kept:
    """A documented error: `{type, message}` and its status."""
    body = {"type": refusal.type, "message": refusal.message, **refusal.extra}
    return Kept(STATUS.get(refusal.type, 409), msgspec.json.encode(body))


def once(request: AnyRequest, world: World, work: Callable[[], object]) -> Response[bytes]:
    """Do a change once per Idempotency-Key.

    The change and its answer are kept in one transaction, so that not even a crash between
    them can let a repeat do it twice. Different requests must not share a key: they get the
    first one's answer.
    """
    key = _key_of(request)
    if key is None:
        return _response(_carry_out(world, work))
    if (kept := recall(request, world)) is not None:
        return kept
    with world.store.transaction():
        answer = _carry_out(world, work)
        world.store.keep_answer(key, world.now() + KEPT_FOR, msgspec.json.encode(answer))
    return _response(answer)


def recall(request: AnyRequest, world: World) -> Response[bytes] | None:
    """The answer kept for this request's key, if there is one."""
    key = _key_of(request)
    kept = world.store.find_answer(key, world.now()) if key else None
    return _response(msgspec.json.decode(kept, type=Kept)) if kept else None


def _carry_out(world: World, work: Callable[[], object]) -> Kept:
    try:
        with world.store.transaction():
            return Kept(200, msgspec.json.encode(work()))
    except Refused as refusal:
        return show_refusal(refusal)


def _key_of(request: AnyRequest) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        raise InvalidRequest("Idempotency-Key must be 16 to 256 ASCII characters in double quotes")
    return given


def _response(kept: Kept) -> Response[bytes]:
    return Response(kept.body, status_code=kept.status, media_type="application/json")


def refuse(_: AnyRequest, refusal: Refused) -> Response[bytes]:
    """What a guard or a reader refuses."""
    return _response(show_refusal(refusal))


def refuse_http(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Paths and methods that V2 does not have."""
    kind = "NOT_FOUND" if error.status_code == 404 else "INVALID_REQUEST"  # noqa: PLR2004
    return respond({"type": kind, "message": error.detail}, error.status_code)
