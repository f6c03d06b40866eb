"""Granian and Litestar serving constant bytes: what the catalogue is held against."""

import os
from pathlib import Path

from litestar import Litestar, Response, get

_BODIES = {path.stem: path.read_bytes() for path in Path(os.environ["BODIES"]).iterdir()}


@get("/health")
async def health() -> str:
    return "live"


@get("/{name:str}")
async def constant(name: str) -> Response[bytes]:
    return Response(_BODIES[name], media_type="application/json")


app = Litestar([health, constant], openapi_config=None, logging_config=None)
