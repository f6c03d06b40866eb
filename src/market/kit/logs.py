"""Structured logs: one JSON object a line on standard error, each with its request's id and with
the trade and payment it is about."""

import json
import logging
import re
import sys
import time
from typing import Any

import msgspec
import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from market.shared.ids import well_formed

# What a path may name that a line is about.
_NAMED = ("product_id", "trade_id", "payment_id")
_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
LONGEST_PATH = 200  # our own are shorter by half: who sends 50 kB must not fill the log with it
_access = structlog.get_logger("access")


def _json(event: dict[str, Any], **_: object) -> bytes:
    line = msgspec.json.encode(event, enc_hook=str)
    # ASCII alone: what a terminal takes for a command, or a reader for the end of a line (U+009B,
    # U+2028 …), can come in a path.
    return line if line.isascii() else json.dumps(event, default=str).encode()


def configure(*more: structlog.typing.Processor) -> None:
    """`more` may add to each line what it is about."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *more,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


class RequestLog:
    """Gives every request an id (the client's X-Request-Id if it is a plain word), tells it back,
    and logs one line when the answer has begun. Neither query strings nor bodies are logged.

    It stands outside of the routes: what matches none is logged as well.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        id = given.decode() if _ID.fullmatch(given) else uuid7().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=id)
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
                _note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noting)


async def about(request: Request[Any, Any, Any]) -> None:
    """Before a route's handler: its lines are about what its path names."""
    structlog.contextvars.bind_contextvars(**_named(request.scope))


def _named(scope: Any) -> dict[str, str]:
    given = scope.get("path_params", {})
    return {name: given[name] for name in _NAMED if well_formed(str(given.get(name, "")))}


def _note(scope: Any, status: int, seconds: float) -> None:
    _access.info(
        "request",
        **{**_named(scope), **structlog.contextvars.get_contextvars()},
        method=scope["method"],
        path=scope["path"][:LONGEST_PATH],
        status=status,
        ms=round(seconds * 1000, 1),
    )
