"""V1's token: valid for 30 minutes, shared by all callers, extended in its last minute."""

import hmac
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portone_sandbox.core.errors import Unauthorized
from portone_sandbox.core.journal import explain
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import current_sandbox

TOKEN_TTL = timedelta(minutes=30)
EXTEND_BELOW = timedelta(minutes=1)
EXTEND_BY = timedelta(minutes=5)


class Token(msgspec.Struct):
    """The current token."""

    text: str
    expires_at: datetime


def issue_token(sandbox: SandboxState, key: str | None, secret: str | None) -> Token:
    """The current token, or a new one after its expiry. Raises Unauthorized for wrong keys.

    Several servers may ask at once, so a valid token is issued again; within its last minute its
    expiry is extended by five.
    """
    keys = sandbox.credentials.v1
    good = hmac.compare_digest((key or "").encode(), keys.imp_key.encode())
    if not (good & hmac.compare_digest((secret or "").encode(), keys.imp_secret.encode())):
        raise Unauthorized("인증에 실패하였습니다. API키와 secret을 확인하세요.")
    now, token = sandbox.now(), _current(sandbox)
    ends_too_late = token is not None and token.expires_at - now > TOKEN_TTL + EXTEND_BY
    if token is not None and ends_too_late:  # the clock was put back
        token.expires_at = now + TOKEN_TTL
    elif token is None or token.expires_at <= now:
        token = Token(sandbox.ids.hex(40), now + TOKEN_TTL)
    elif token.expires_at - now < EXTEND_BELOW:
        token.expires_at += EXTEND_BY
    else:
        return token
    sandbox.store.put_note("v1_token", msgspec.json.encode(token))
    return token


async def require_token(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: the header holds the token, bare or after `Bearer`; both forms are in use.

    A coroutine, though it never awaits: Litestar would run a plain function in another thread,
    where it could reach the store in the middle of a transaction.
    """
    sandbox = current_sandbox()
    headers = connection.headers
    # Older clients send the token in a header of its own, or in the query.
    given = headers.get("authorization") or headers.get("x-imptokenheader")
    given = given or connection.query_params.get("_token") or ""
    problem = _problem_of(sandbox, given.removeprefix("Bearer ").strip())
    if problem:
        explain(problem)
        raise Unauthorized("Unauthorized")


def _problem_of(sandbox: SandboxState, presented: str) -> str | None:
    """Why a token is refused; None if it is valid."""
    token = _current(sandbox)
    if not presented:
        return "no token in Authorization"
    if token is None or not hmac.compare_digest(presented.encode(), token.text.encode()):
        return "the token is not the current one of POST /users/getToken"
    if token.expires_at <= sandbox.now():
        return f"the token expired at {token.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _current(sandbox: SandboxState) -> Token | None:
    stored = sandbox.store.get_note("v1_token")
    return msgspec.json.decode(stored, type=Token) if stored else None
