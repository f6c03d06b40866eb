"""ASGI middleware that records calls in the journal."""

import re
import time
from collections.abc import Iterable
from datetime import datetime

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

from portone_sandbox.core.journal import BODY_BYTES_MAX, Entry, Exchange, Findings, collecting
from portone_sandbox.core.payments import Version
from portone_sandbox.core.request import SLASH
from portone_sandbox.core.state import SandboxState

_VERSIONS: dict[str, Version] = {
    "/v1/": "V1",
    "/v2/": "V2",
    "/checkout/v1": "V1",
    "/checkout/v2": "V2",
}
_HEADERS = (b"content-type", b"idempotency-key", b"user-agent", b"origin", b"tier")
# Their bodies are keys and tokens alone.
_SECRET_PATHS = ("/users/getToken", "/login/api-secret", "/token/refresh")
# V1's token in a query.
_TOKEN = re.compile(r"(?<![^&])_token=[^&]*")
_REFUSED_FROM = 400


class RecordingMiddleware:
    """Records calls of /v1, /v2 and of the SDKs, faults included."""

    def __init__(self, app: ASGIApp, sandbox: SandboxState) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a call, and record it when it has ended."""
        version = _version_of(scope)
        if version is None or scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        call = _Call(scope, version, receive, send)
        at, started = self._sandbox.now(), time.monotonic()
        with collecting() as found:
            try:
                await self._app(scope, call.receive, call.send)
            finally:
                seconds = round(time.monotonic() - started, 3)
                self._sandbox.journal.add(call.entry(at, seconds, found))


class _Call:
    """One running call, and what passes in both directions."""

    def __init__(self, scope: HTTPScope, version: Version, receive: Receive, send: Send) -> None:
        self._scope, self._version = scope, version
        self._receive, self._send = receive, send
        self._asked, self._answered = bytearray(), bytearray()
        self._status: int | None = None
        self._headers: dict[str, str] = {}

    async def receive(self) -> ReceiveMessage:
        """Pass a message of the client's on."""
        message = await self._receive()
        if message["type"] == "http.request":
            _append(self._asked, message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the application's on."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = _shown(message.get("headers", []))
        elif message["type"] == "http.response.body":
            _append(self._answered, message.get("body", b""))
        await self._send(message)

    def entry(self, at: datetime, seconds: float, found: Findings) -> Entry:
        """The call as the journal keeps it."""
        path = self._scope["path"].replace(SLASH, "/")
        secret = path.endswith(_SECRET_PATHS)
        headers = _shown(self._scope["headers"])
        scheme = dict(self._scope["headers"]).get(b"authorization", b"").partition(b" ")
        if scheme[0]:
            headers["authorization"] = f"{scheme[0].decode('latin-1')} …" if scheme[1] else "…"
        reason = self._reason(found.reasons)
        query = _TOKEN.sub("_token=…", self._scope.get("query_string", b"").decode("latin-1"))
        return Entry(
            at=at,
            method=self._scope["method"],
            path=path,
            version=self._version,
            status=self._status,
            reason=reason,
            request=Exchange(headers, query, "…" if secret else _text(self._asked)),
            response=Exchange(self._headers, "", "…" if secret else _text(self._answered)),
            seconds=seconds,
            notes=found.notes if reason else found.all_notes(),
        )

    def _reason(self, reasons: list[str]) -> str | None:
        said = _refusal_in(self._version, self._status, bytes(self._answered))
        every = [*([said] if said else []), *reasons]
        return "; ".join(every) or None


def _version_of(scope: Scope) -> Version | None:
    if scope["type"] != ScopeType.HTTP:
        return None
    path = scope["path"]
    if path in ("/checkout/v1", "/checkout/v2"):
        return _VERSIONS[path]
    return _VERSIONS.get(path[:4])


def _refusal_in(version: Version, status: int | None, body: bytes) -> str | None:
    """The refusal that a response states; V1 refuses with status 200 and a code, too."""
    refused = status is not None and status >= _REFUSED_FROM
    if not refused and (version == "V2" or body.startswith(b'{"code":0,')):
        return None
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"status {status}" if refused else None
    if not isinstance(decoded, dict) or "message" not in decoded:
        return f"status {status}" if refused else None
    kind = decoded.get("type") or f"code {decoded.get('code')}"
    return f"{kind}: {decoded['message']}"


def _append(kept: bytearray, more: bytes) -> None:
    kept.extend(more[: BODY_BYTES_MAX - len(kept)])


def _text(body: bytearray) -> str:
    return body.decode(errors="replace") + ("…" if len(body) >= BODY_BYTES_MAX else "")


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name.lower() in _HEADERS
    }
