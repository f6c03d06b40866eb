"""Structured logs: one JSON object a line on standard error, each with its request's id and with
the trade and payment it is about."""

import asyncio
import json
import logging
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import Any, BinaryIO

import msgspec
import structlog
from litestar import Request

from market.shared import log_context
from market.shared.ids import well_formed

# What a path may name that a line is about.
_NAMED = ("product_id", "trade_id", "payment_id")


def configure(*more: structlog.typing.Processor) -> None:
    """`more` may add to each line what it is about."""
    lines = BufferedWriter(sys.stderr.buffer)
    structlog.configure(
        processors=[*more, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def with_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds what the work in hand is about."""
    return {**log_context.ids(), **event}


def _as_line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    """One step and not structlog's five, for there is a line for each request."""
    event = with_ids(_, level, event)
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(_, level, event)
    event["level"] = level
    event["timestamp"] = datetime.now(UTC)
    line = msgspec.json.encode(event, enc_hook=str)
    # ASCII alone: what a terminal takes for a command, or a reader for the end of a line (U+009B,
    # U+2028 …), can come in a path.
    return line if line.isascii() else json.dumps(json.loads(line)).encode()


class AccessLogger(structlog.BoundLoggerBase):
    """A logger for what is said at each request: it binds nothing and filters nothing, which
    would cost as much again as the line itself."""

    def write(self, event: Any) -> None:
        """One line at level info."""
        try:
            for process in self._processors:
                event = process(self._logger, "info", event)
        except structlog.DropEvent:
            return
        self._logger.msg(event)


class BufferedWriter:
    """Writes lines out once per turn of the event loop, all of that turn in one go; at once where
    no loop runs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()  # also threads append to it
        self._due_in: asyncio.AbstractEventLoop | None = None

    def msg(self, line: bytes) -> None:
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write()
            return
        if self._due_in is not loop:
            self._due_in = loop
            loop.call_soon(self._write)

    debug = info = warning = error = critical = msg

    def _write(self) -> None:
        self._due_in = None
        some: list[bytes] = []
        size = 0
        while self._waiting:
            line = self._waiting.popleft()
            # Server processes share one standard error: what is longer than PIPE_BUF, another's
            # lines could come in the middle of.
            if size + len(line) >= PIPE_BUF:
                self._out(some)
                some, size = [], 0
            some.append(line)
            size += len(line) + 1
        self._out(some)

    def _out(self, lines: list[bytes]) -> None:
        if lines:
            self._stream.write(b"\n".join([*lines, b""]))
            self._stream.flush()


async def bind_path_ids(request: Request[Any, Any, Any]) -> None:
    """Before a route's handler: its lines are about what its path names."""
    log_context.bind(**named(request.scope))


def named(scope: Any) -> Mapping[str, str]:
    """The ids that a request's path names."""
    given = scope.get("path_params")
    if not given:
        return {}
    return {name: id for name, id in given.items() if name in _NAMED and well_formed(str(id))}
