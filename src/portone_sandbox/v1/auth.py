"""V1's token: half an hour, the same for every caller, stretched when it is about to end."""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from portone_sandbox.core.errors import Unauthorized
from portone_sandbox.core.state import World

LIFE = timedelta(minutes=30)
STRETCH_BELOW = timedelta(minutes=1)
STRETCH_BY = timedelta(minutes=5)


class Token(msgspec.Struct):
    """The one token in force."""

    text: str
    expires_at: datetime


def take_token(world: World, key: str | None, secret: str | None) -> Token:
    """The current token; a new one when it has ended. Raises Unauthorized for wrong keys.

    Several servers may ask at once, so a live token is given again; in its last minute its end
    moves out by five.
    """
    keys = world.credentials.v1
    good = hmac.compare_digest((key or "").encode(), keys.imp_key.encode())
    if not (good & hmac.compare_digest((secret or "").encode(), keys.imp_secret.encode())):
        raise Unauthorized("인증에 실패하였습니다. API키와 secret을 확인하세요.")
    now, token = world.now(), _current(world)
    if token is None or token.expires_at <= now:
        token = Token(secrets.token_hex(20), now + LIFE)
    elif token.expires_at - now < STRETCH_BELOW:
        token.expires_at += STRETCH_BY
    else:
        return token
    world.store.put_note("v1_token", msgspec.json.encode(token))
    return token


async def require_token(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: the header holds the token, bare or after Bearer; both forms are in use.

    A coroutine, though it never waits: Litestar would run a plain function in another thread,
    where it would meet the store in the middle of a transaction.
    """
    world: World = connection.app.state.world
    given = connection.headers.get("authorization", "").removeprefix("Bearer ").strip()
    token = _current(world)
    alive = token is not None and token.expires_at > world.now()
    if token is None or not alive or not hmac.compare_digest(given.encode(), token.text.encode()):
        raise Unauthorized("Unauthorized")


def _current(world: World) -> Token | None:
    kept = world.store.get_note("v1_token")
    return msgspec.json.decode(kept, type=Token) if kept else None
