"""Structured logs: one JSON object a line on standard error, each with its request's id and with
the trade and payment it is about."""

import json
import logging
import sys
from typing import Any

import msgspec
import structlog
from litestar import Request

from market.shared.ids import well_formed

# What a path may name that a line is about.
_NAMED = ("product_id", "trade_id", "payment_id")


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


async def about(request: Request[Any, Any, Any]) -> None:
    """Before a route's handler: its lines are about what its path names."""
    structlog.contextvars.bind_contextvars(**named(request.scope))


def named(scope: Any) -> dict[str, str]:
    """The ids that a request's path names."""
    given = scope.get("path_params")
    if not given:
        return {}
    return {name: given[name] for name in _NAMED if well_formed(str(given.get(name, "")))}
