"""Whether the market lives, is ready, and how it is doing."""

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import litestar_offline_docs
import msgspec
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import OpenAPIMediaType
from litestar.params import FromPath
from litestar.plugins.prometheus import PrometheusController
from litestar.response import File, Response
from msgspec import Struct

from market.kit.db.database import Database
from market.kit.db.schema_version import require_schema
from market.kit.http.problems import problem_responses
from market.shared.errors import NotFound, Unavailable

DOCS_ASSETS = "/docs-assets"
_KINDS = {".css": "text/css", ".js": "text/javascript"}
ASSETS = {
    path.name: path
    for path in (Path(litestar_offline_docs.__file__).parent / "static").iterdir()
    if path.suffix in _KINDS
}


# A database that does not answer by then would not serve a request either; and whoever asks whether
# we are ready gives up himself after some seconds.
READY_WITHIN_S = 3.0


class Health(Struct):
    status: str


@get("/health/live", tags=["health"])
async def live() -> Health:
    """This process answers."""
    return Health("live")


@get("/health/ready", tags=["health"], responses=problem_responses(503))
async def ready(market_db: NamedDependency[Database]) -> Health:
    """This process can serve: its database answers soon, and has the schema this code needs."""
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await require_schema(market_db)
    except TimeoutError as cause:
        raise Unavailable from cause
    return Health("ready")


@get("/openapi.json", include_in_schema=False, media_type=OpenAPIMediaType.OPENAPI_JSON)
async def openapi(request: Request[Any, Any, State]) -> bytes:
    return encoded(request.app)


@lru_cache(maxsize=1)
def encoded(app: Litestar) -> bytes:
    """The document as it is sent; made once, since it keeps the event loop for 20 ms."""
    return msgspec.json.encode(app.openapi_schema.to_schema())


@get(DOCS_ASSETS + "/{name:str}", include_in_schema=False)
async def docs_asset(name: FromPath[str]) -> File:
    """Swagger UI from this machine: /docs works without a network. Nothing else is served."""
    if name not in ASSETS:
        raise NotFound
    path = ASSETS[name]
    # Said here: what the system's own list of media types holds differs by machine.
    return File(
        path,
        media_type=_KINDS[path.suffix],
        content_disposition_type="inline",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def for_operators_networks(connection: ASGIConnection[Any, Any, Any, Any], _: object) -> None:
    """Metrics tell what sells how fast, and take a while to collect: they are not for strangers.
    Raises NotFound."""
    market = connection.scope["litestar_app"].state.market
    if not market.client_ips.is_within(connection, market.metrics_networks):
        raise NotFound


class MetricsController(PrometheusController):
    """For Prometheus; a sum over all server processes."""

    include_in_schema = False
    path = "/metrics"
    guards = [for_operators_networks]

    @get()
    async def get(self) -> Response[bytes]:
        """Every metric, the renamed ones under both names."""
        response = await PrometheusController.get.fn(self)
        response.content = with_old_names(response.content)
        return cast("Response[bytes]", response)


# For one release, dashboards find a metric under the name it had before as well.
OLD_METRIC_NAMES: Mapping[bytes, bytes] = {
    b"http_server_request_duration_seconds": b"market_request_duration_seconds",
    b"db_client_connection_use_time_seconds": b"market_connection_held_seconds",
    b"db_client_connection_wait_time_seconds": b"market_connection_awaited_seconds",
    b"market_row_lock_duration_seconds": b"market_lock_held_seconds",
    b"market_batch_size": b"market_group_size",
}
_RENAMED = re.compile(rb"^(?:# (?:HELP|TYPE) )?(" + b"|".join(OLD_METRIC_NAMES) + rb")(?=[_ {])")


def with_old_names(page: bytes) -> bytes:
    """A page of metrics, with each renamed metric once more under its old name and label."""
    repeated = []
    for line in page.splitlines(keepends=True):
        if (found := _RENAMED.match(line)) is not None:
            old = line.replace(found[1], OLD_METRIC_NAMES[found[1]], 1)
            repeated.append(old.replace(b'operation="', b'of="'))
    return page + b"".join(repeated)


OPERATIONS_ROUTES = (live, ready, openapi, docs_asset, MetricsController)
