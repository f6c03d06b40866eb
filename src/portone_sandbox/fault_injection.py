"""ASGI middleware that applies fault rules to calls, and can reset connections."""

import asyncio
import os
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from portone_sandbox.core.errors import Refused
from portone_sandbox.core.faults import FaultRule
from portone_sandbox.core.journal import explain
from portone_sandbox.core.request import SLASH
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v2.responses import show_refusal

_GARBAGE = b"<html><body>502 Bad Gateway</body></html>"
_SLOW_SECONDS = 1.0
_ERRORS = {"error_500": (500, "Internal Server Error"), "error_429": (429, "Too Many Requests")}
_OUTSTANDING = (
    b'{"type":"IDEMPOTENCY_OUTSTANDING_REQUEST",'
    b'"message":"a request with this Idempotency-Key is still running"}'
)


class FaultInjectionMiddleware:
    """Wraps the whole sandbox; faults apply to /v1 and /v2 only."""

    def __init__(self, app: ASGIApp, sandbox: SandboxState) -> None:
        self._app = app
        self._sandbox = sandbox
        self._running: set[bytes] = set()
        self._closing = asyncio.Event()
        self._second = self._calls = 0

    def close(self) -> None:
        """Release held requests: the sandbox is shutting down."""
        self._closing.set()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a call, or apply the matching fault rule."""
        if scope.get("method") is None:  # lifespan
            await self._app(scope, receive, send)
            return
        version = scope["path"][1:3].upper()
        if version == "V2" and (key := _key_of(scope)) is not None:
            await self._serialize_by_key(key, scope, receive, send)
        else:
            await self._forward(version, scope, receive, send)

    async def _serialize_by_key(
        self, key: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Refuse a key whose first request is still running; the error type is undocumented."""
        if key in self._running:
            await _respond(send, 409, b"application/json", _OUTSTANDING)
            return
        self._running.add(key)
        try:
            await self._forward("V2", scope, receive, send)
        finally:
            self._running.discard(key)

    async def _forward(self, version: str, scope: Scope, receive: Receive, send: Send) -> None:
        rule, method = None, scope.get("method")
        if version in ("V1", "V2") and scope["path"][3:4] == "/":
            path = scope["path"][3:].replace(SLASH, "/")
            rule = self._sandbox.faults.take_for_call(version, str(method), path)
            if self._over_rate_limit():
                explain("rate_limit_per_second is exceeded")
                await _respond(send, *_error_of(version, "error_429"))
                return
        if rule is None:
            await self._app(scope, receive, send)
        else:
            explain(f"{rule.id}: {rule.fault}")
            await self._apply_fault(rule, version, scope, receive, send)

    def _over_rate_limit(self) -> bool:
        """Count a call within the current second of the wall clock, if a limit is set."""
        limit = self._sandbox.settings.rate_limit_per_second
        if limit is None:
            return False
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._calls = second, 0
        self._calls += 1
        return self._calls > limit

    async def _apply_fault(
        self, rule: FaultRule, version: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        takes_effect = rule.effect if rule.effect is not None else rule.fault == "garbage"
        if rule.fault == "slow":
            await self._pause(_SLOW_SECONDS if rule.seconds is None else rule.seconds)
            await self._app(scope, receive, send)
            return
        if rule.fault == "timeout_after" or (takes_effect and rule.fault != "timeout_before"):
            await self._app(scope, receive, _discard)
        if rule.fault in ("timeout_before", "timeout_after"):
            await self._pause(rule.seconds or 0)
            await reset_connection(scope, receive)
        elif rule.fault == "refuse":
            await _respond(send, *_refusal_of(version, rule))
        elif rule.fault == "garbage":
            await _respond(send, 200, b"text/html", _GARBAGE)
        else:
            await _respond(send, *_error_of(version, rule.fault))


def _key_of(scope: Scope) -> bytes | None:
    if scope.get("method") in ("POST", "PUT", "PATCH", "DELETE"):
        return dict(scope["headers"]).get(b"idempotency-key")
    return None


async def _discard(_: Message) -> None:
    """Drop the response."""


def _error_of(version: str, fault: str) -> tuple[int, bytes, bytes]:
    """Status, content type and body of an error, in the version's own format."""
    status, message = _ERRORS[fault]
    body: dict[str, object] = {"type": _type_of(message), "message": message}
    if version == "V1":
        body = {"code": -1, "message": message, "response": None}
    return status, b"application/json", msgspec.json.encode(body)


def _type_of(message: str) -> str:
    """V2's error type for an HTTP status phrase."""
    return message.upper().replace(" ", "_")


def _refusal_of(version: str, rule: FaultRule) -> tuple[int, bytes, bytes]:
    """A refusal that is independent of the payment's state.

    V2 has error types with their statuses; V1 responds 200 with a code that is not 0.
    """
    message = rule.message or "asked for by a fault"
    if version == "V1":
        body = {"code": rule.code, "message": message, "response": None}
        return 200, b"application/json", msgspec.json.encode(body)
    refusal = Refused(message)
    refusal.type = rule.error_type
    if refusal.type == "PG_PROVIDER":
        refusal.extra = {"pgCode": rule.pg_code, "pgMessage": rule.pg_message}
    shown = show_refusal(refusal)
    return shown.status, b"application/json", shown.body


async def _respond(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def reset_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection without a response.

    ASGI has no message for this, so the socket is found among this process's own by the client's
    address, and shut down. Where that fails, the connection stays open until the client gives up.
    """
    client = scope.get("client")
    # Granian gives the port as text.
    if client is None or not _shut_down_socket(client[0], int(client[1])):
        while (await receive())["type"] != "http.disconnect":
            pass


def _shut_down_socket(host: str, port: int) -> bool:
    for number in _open_files():
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            line = socket.socket(fileno=os.dup(number))
            with line:
                if line.getpeername()[:2] == (host, port):
                    line.shutdown(socket.SHUT_RDWR)
                    return True
    return False


def _open_files() -> list[int]:
    for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
        with suppress(OSError):
            return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())
    return []
