"""HTTP calls to sign-in providers."""

import asyncio
from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec
import structlog

from market.kit.db.database import in_transaction

from .identity import ProviderUnavailable, SocialRefused

Shape = TypeVar("Shape")

# A person waits for the page: a provider that takes longer counts as unavailable.
HTTP_TIMEOUT = httpx.Timeout(5.0, connect=3.0, pool=2.0)
# httpx counts from byte to byte; this is for all of a response.
FETCH_WITHIN_S = 10.0
POOL = httpx.Limits(max_connections=20, max_keepalive_connections=5)

_HTTP_BAD_REQUEST = 400
_HTTP_UNAUTHORIZED = 401
_HTTP_OK = 200
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """Our credentials at a provider, and its addresses."""

    client_id: str
    client_secret: str
    auth_url: str
    api_url: str


def http_client() -> httpx.AsyncClient:
    """One connection pool for all providers. It follows no redirects: providers send none."""
    return httpx.AsyncClient(timeout=HTTP_TIMEOUT, limits=POOL, follow_redirects=False)


async def fetch(client: httpx.AsyncClient, request: httpx.Request, shape: type[Shape]) -> Shape:
    """The response, decoded as `shape`.

    Raises SocialRefused if the provider refuses, ProviderUnavailable for everything else. Logs
    neither codes nor tokens: of an error, only its status and the provider's error code.
    """
    if in_transaction():
        raise RuntimeError("no network call inside a transaction")
    try:
        async with asyncio.timeout(FETCH_WITHIN_S):
            response = await client.send(request)
    except (httpx.HTTPError, TimeoutError) as cause:
        _log.warning("social_unreachable", host=request.url.host, trouble=type(cause).__name__)
        raise ProviderUnavailable from cause
    if response.status_code in {_HTTP_BAD_REQUEST, _HTTP_UNAUTHORIZED}:
        _log.warning("social_refused", host=request.url.host, **_error_fields(response))
        raise SocialRefused
    if response.status_code != _HTTP_OK:
        _log.warning("social_trouble", host=request.url.host, status=response.status_code)
        raise ProviderUnavailable
    try:
        return msgspec.json.decode(response.content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as cause:
        _log.warning("social_unreadable", host=request.url.host)
        raise ProviderUnavailable from cause


class _Error(msgspec.Struct):
    error: str = ""
    error_code: str = ""


def _error_fields(response: httpx.Response) -> dict[str, str | int]:
    """Fields for the log: an operator must notice a wrong client secret (KOE010)."""
    try:
        said = msgspec.json.decode(response.content, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = _Error()
    return {"status": response.status_code, "error": said.error[:40], "code": said.error_code[:20]}
