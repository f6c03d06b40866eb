"""V2's two credentials: the API secret itself, or a pair of tokens made from it."""

import hmac
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portone_sandbox.core.errors import Forbidden, Unauthorized
from portone_sandbox.core.journal import explain
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import current_sandbox

ACCESS_TOKEN_TTL = timedelta(minutes=30)
REFRESH_TOKEN_TTL = timedelta(days=1)


class Tokens(msgspec.Struct):
    """Live access tokens with their ends, and the one live refresh token."""

    access: dict[str, datetime] = msgspec.field(default_factory=dict)
    refresh: str = ""
    refresh_ends_at: datetime | None = None


def log_in(sandbox: SandboxState, api_secret: str) -> dict[str, str]:
    """A token pair for the API secret; raises Unauthorized."""
    if not _same(api_secret, sandbox.credentials.v2.api_secret):
        raise Unauthorized("API 시크릿이 올바르지 않습니다.")
    return _issue(sandbox)


def refresh(sandbox: SandboxState, refresh_token: str) -> dict[str, str]:
    """A new pair for the newest refresh token; older ones are revoked. Raises Unauthorized."""
    tokens = _load(sandbox)
    ended = tokens.refresh_ends_at is None or tokens.refresh_ends_at <= sandbox.now()
    if ended or not _same(refresh_token, tokens.refresh):
        raise Unauthorized("리프레시 토큰이 올바르지 않습니다.")
    return _issue(sandbox)


async def require_credential(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: `PortOne <API secret>` or `Bearer <access token>`.

    A coroutine for the same reason as V1's guard: the store belongs to one thread.
    """
    sandbox = current_sandbox()
    scheme, _space, given = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "portone" and _same(given, sandbox.credentials.v2.api_secret):
        return
    if scheme.lower() == "bearer":
        ends_at = _load(sandbox).access.get(given)
        if ends_at is not None and ends_at > sandbox.now():
            return
    explain(_problem_of(scheme.lower()))
    raise Unauthorized("인증 정보가 올바르지 않습니다.")


def _problem_of(scheme: str) -> str:
    """Why a credential is refused."""
    match scheme:
        case "":
            return "no credential in Authorization"
        case "portone":
            return "the API secret is not the one of /control/credentials"
        case "bearer":
            return "the access token is unknown or has expired"
        case _:
            return "Authorization is neither `PortOne <API secret>` nor `Bearer <access token>`"


def check_store(sandbox: SandboxState, store_id: str | None) -> None:
    """Check that a named store is the credential's own; raises Forbidden."""
    if store_id is not None and store_id != sandbox.credentials.v2.store_id:
        explain(f"storeId is not {sandbox.credentials.v2.store_id}")
        raise Forbidden("접근 권한이 없는 상점 아이디입니다.")


def _issue(sandbox: SandboxState) -> dict[str, str]:
    now, tokens = sandbox.now(), _load(sandbox)
    alive = {text: ends_at for text, ends_at in tokens.access.items() if ends_at > now}
    access, renewal = sandbox.ids.token(32), sandbox.ids.token(32)
    alive[access] = now + ACCESS_TOKEN_TTL
    stored = Tokens(alive, renewal, now + REFRESH_TOKEN_TTL)
    sandbox.store.put_note("v2_tokens", msgspec.json.encode(stored))
    return {"accessToken": access, "refreshToken": renewal}


def _load(sandbox: SandboxState) -> Tokens:
    stored = sandbox.store.get_note("v2_tokens")
    return msgspec.json.decode(stored, type=Tokens) if stored else Tokens()


def _same(given: str, true: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), true.encode())
