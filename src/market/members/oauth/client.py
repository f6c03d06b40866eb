"""How a provider is asked, and what it means when it does not answer."""

from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec
import structlog

from market.kit.db.database import in_transaction

from .identity import ProviderUnavailable, SocialRefused

Shape = TypeVar("Shape")

# Somebody waits for the page: a provider that takes longer is as good as away.
HTTP_TIMEOUT = httpx.Timeout(5.0, connect=3.0, pool=2.0)
POOL = httpx.Limits(max_connections=20, max_keepalive_connections=5)

_HTTP_BAD_REQUEST = 400
_HTTP_UNAUTHORIZED = 401
_HTTP_OK = 200
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """Who we are at a provider, and where it is."""

    client_id: str
    client_secret: str
    auth_url: str
    api_url: str


def http_client() -> httpx.AsyncClient:
    """One pool for all providers. Redirects are not followed: none of them sends any."""
    return httpx.AsyncClient(timeout=HTTP_TIMEOUT, limits=POOL, follow_redirects=False)


async def fetch(client: httpx.AsyncClient, request: httpx.Request, shape: type[Shape]) -> Shape:
    """The answer, read as `shape`.

    Raises SocialRefused for a considered no, ProviderUnavailable for everything else. Neither codes
    nor tokens are logged: of an error, only its status and the provider's own word for it.
    """
    if in_transaction():
        raise RuntimeError("no network call inside a transaction")
    try:
        response = await client.send(request)
    except httpx.HTTPError as cause:
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
    """The client's secret may be wrong: then an operator must see it (KOE010)."""
    try:
        said = msgspec.json.decode(response.content, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = _Error()
    return {"status": response.status_code, "error": said.error[:40], "code": said.error_code[:20]}
