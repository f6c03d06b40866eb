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
from litestar.types import Receive, Scope, Send

from portone_sandbox.checkout.routes import router as checkout_router
from portone_sandbox.control.routes import router as control_router
from portone_sandbox.core.problem import problem_document
from portone_sandbox.core.state import SandboxState
from portone_sandbox.dashboard.routes import router as dashboard_router
from portone_sandbox.fault_injection import FaultInjectionMiddleware
from portone_sandbox.oauth.kakao import router as kakao_router
from portone_sandbox.oauth.naver import router as naver_router
from portone_sandbox.recording import RecordingMiddleware
from portone_sandbox.routing import RoutingMiddleware
from portone_sandbox.v1.routes import refuse_http as refuse_http_v1
from portone_sandbox.v1.routes import router as v1_router
from portone_sandbox.v2.responses import refuse_http as refuse_http_v2
from portone_sandbox.v2.routes import router as v2_router
from portone_sandbox.webhooks.sender import Sender


@get("/health")
async def health() -> dict[str, str]:
    """Ready to serve."""
    return {"status": "ok"}


class Application:
    """The whole sandbox as an ASGI application."""

    def __init__(self, app: Litestar, sandbox: SandboxState) -> None:
        self._faults = FaultInjectionMiddleware(app, sandbox)
        self._app = RoutingMiddleware(RecordingMiddleware(self._faults, sandbox))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, or the lifespan."""
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Release held requests: the sandbox is shutting down."""
        self._faults.close()


def build(sandbox: SandboxState) -> Application:
    """Build the application around one sandbox's state."""
    # Runs inside the event loop, which the sender's events belong to.
    sender = Sender(sandbox)

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
            v1_router(sandbox),
            v2_router(),
            control_router(),
            checkout_router(),
            dashboard_router(),
            kakao_router(),
            naver_router(),
        ],
        dependencies={
            "sandbox": Provide(lambda: sandbox, sync_to_thread=False),
            "sender": Provide(lambda: sender, sync_to_thread=False),
        },
        exception_handlers={HTTPException: refuse_http, Exception: crash},
        lifespan=[sending],
        openapi_config=None,
        state=State({"sandbox": sandbox}),
        logging_config=None,
    )
    return Application(app, sandbox)


def crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug in the sandbox: print the traceback, and respond 500."""
    traceback.print_exception(error, file=sys.stderr)
    detail = f"the sandbox itself failed: {type(error).__name__}"
    return refuse_http(request, HTTPException(detail=detail, status_code=500))


def refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Unknown paths and methods, in the error format of the version."""
    if request.url.path.startswith("/v1/"):
        return refuse_http_v1(request, error)
    if request.url.path.startswith("/v2/"):
        return refuse_http_v2(request, error)
    code = "not_found" if error.status_code == 404 else "invalid_request"  # noqa: PLR2004
    body = problem_document(error.status_code, code, error.detail)
    return Response(body, status_code=error.status_code, media_type="application/problem+json")
