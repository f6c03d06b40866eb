"""The whole sandbox as one ASGI application."""

import asyncio
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from portone_sandbox.checkout.routes import router as checkout_router
from portone_sandbox.control.routes import router as control_router
from portone_sandbox.core.problem import show_error
from portone_sandbox.core.state import World
from portone_sandbox.dashboard.routes import router as dashboard_router
from portone_sandbox.fault_injection import Gate
from portone_sandbox.oauth.kakao import router as kakao_router
from portone_sandbox.oauth.naver import router as naver_router
from portone_sandbox.v1.routes import refuse_http as refuse_http_v1
from portone_sandbox.v1.routes import router as v1_router
from portone_sandbox.v2.responses import refuse_http as refuse_http_v2
from portone_sandbox.v2.routes import router as v2_router
from portone_sandbox.webhooks.sender import Sender


@get("/health")
async def health() -> dict[str, str]:
    """Ready to serve."""
    return {"status": "ok"}


def build(world: World) -> Gate:
    """Put the versions and the control panel together around one world."""
    # Called from within the event loop: the sender's events belong to it.
    sender = Sender(world)

    @asynccontextmanager
    async def sending(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(sender.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = Litestar(
        route_handlers=[
            health,
            v1_router(world),
            v2_router(),
            control_router(),
            checkout_router(),
            dashboard_router(),
            kakao_router(),
            naver_router(),
        ],
        dependencies={
            "world": Provide(lambda: world, sync_to_thread=False),
            "sender": Provide(lambda: sender, sync_to_thread=False),
        },
        exception_handlers={HTTPException: refuse_http, Exception: crash},
        lifespan=[sending],
        openapi_config=None,
        state=State({"world": world}),
        logging_config=None,
    )
    return Gate(app, world)


def crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A mistake of the sandbox's own: tell its terminal, and answer 500."""
    traceback.print_exception(error, file=sys.stderr)
    detail = f"the sandbox itself failed: {type(error).__name__}"
    return refuse_http(request, HTTPException(detail=detail, status_code=500))


def refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Paths and methods the sandbox does not have, in the words of the version asked."""
    if request.url.path.startswith("/v1/"):
        return refuse_http_v1(request, error)
    if request.url.path.startswith("/v2/"):
        return refuse_http_v2(request, error)
    code = "not_found" if error.status_code == 404 else "invalid_request"  # noqa: PLR2004
    body = show_error(error.status_code, code, error.detail)
    return Response(body, status_code=error.status_code, media_type="application/problem+json")
