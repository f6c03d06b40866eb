"""Structured logs: one JSON object a line on standard error, each with its request's id."""

import logging
import re
import sys
import time
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
LONGEST_PATH = 200  # our own are shorter by half: who sends 50 kB must not fill the log with it
_access = structlog.get_logger("access")


def configure() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # ASCII alone: what a terminal takes for a command, or a reader for the end of a line
            # (U+009B, U+2028 …), can come in a path.
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class RequestLog:
    """Gives every request an id (the client's X-Request-Id if it is a plain word), tells it back,
    and logs one line when the answer has begun. Neither query strings nor bodies are logged."""

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
                MutableScopeHeaders.from_message(message)["X-Request-Id"] = id
                _note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noting)


def _note(scope: Any, status: int, seconds: float) -> None:
    _access.info(
        "request",
        method=scope["method"],
        path=scope["path"][:LONGEST_PATH],
        status=status,
        ms=round(seconds * 1000, 1),
    )
