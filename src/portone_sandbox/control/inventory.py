"""What there is: the stores of this process, and the operations of PortOne that are played."""

import re
from functools import lru_cache

from litestar import Litestar, delete, get
from litestar.params import FromPath
from litestar.routes import HTTPRoute

from portone_sandbox.core.operations import Operations
from portone_sandbox.core.payments import Version
from portone_sandbox.core.request import AnyRequest, StoresDep
from portone_sandbox.v1.operations import OPERATIONS as V1
from portone_sandbox.v2.operations import OPERATIONS as V2

_DOCUMENTED: dict[Version, Operations] = {"V1": V1, "V2": V2}
_PARAMETER = re.compile(r"\{[^}]+\}")


@get("/stores")
async def get_stores(stores: StoresDep) -> dict[str, object]:
    """The names of the stores beside the main one."""
    return {"items": stores.names(), "next_cursor": None}


@delete("/stores", status_code=204)
async def drop_stores(stores: StoresDep) -> None:
    """Delete every store but the main one."""
    for name in stores.names():
        stores.drop(name)


@delete("/stores/{name:str}", status_code=204)
async def drop_store(name: FromPath[str], stores: StoresDep) -> None:
    """Delete a store with all that is in it; without one of that name, nothing happens."""
    stores.drop(name)


@get("/operations")
async def get_operations(request: AnyRequest) -> dict[str, object]:
    """Every operation that PortOne documents, and whether the sandbox plays it (B1)."""
    return {"items": list_operations(request.app), "next_cursor": None}


@lru_cache(maxsize=4)
def list_operations(app: Litestar) -> list[dict[str, object]]:
    """Every documented operation in the order of its path; played is what has a route."""
    routes = {
        f"{method} {_PARAMETER.sub('{}', route.path_format)}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
    }
    return [
        {
            "version": version,
            "method": method,
            "path": path,
            "played": f"{method} /{version.lower()}{_PARAMETER.sub('{}', path)}" in routes,
        }
        for version, operations in _DOCUMENTED.items()
        for method, path in sorted(
            (line.split(" ", 1) for line in operations.all()), key=lambda line: line[::-1]
        )
    ]
