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

from portone_sandbox import (
    checkout_page,
    control,
    dashboard,
    oauth_kakao,
    oauth_naver,
    v1,
    v2,
    v2_answers,
)
from portone_sandbox.gate import Gate, show_error
from portone_sandbox.sender import Sender
from portone_sandbox.world import World


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
            v1.router(world),
            v2.router(),
            control.router(),
            checkout_page.router(),
            dashboard.router(),
            oauth_kakao.router(),
            oauth_naver.router(),
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
        return v1.refuse_http(request, error)
    if request.url.path.startswith("/v2/"):
        return v2_answers.refuse_http(request, error)
    code = "not_found" if error.status_code == 404 else "invalid_request"  # noqa: PLR2004
    body = show_error(error.status_code, code, error.detail)
    return Response(body, status_code=error.status_code, media_type="application/problem+json")
