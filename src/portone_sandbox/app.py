"""The whole sandbox as one ASGI application."""

import asyncio
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
from litestar import Litestar, Request, Response, get
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from portone_sandbox.checkout.routes import router as checkout_router
from portone_sandbox.control.routes import router as control_router
from portone_sandbox.core.problem import problem_document
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import MAIN, Stores, current_sandbox
from portone_sandbox.dashboard.routes import router as dashboard_router
from portone_sandbox.fault_injection import FaultInjectionMiddleware
from portone_sandbox.oauth.kakao import router as kakao_router
from portone_sandbox.oauth.naver import router as naver_router
from portone_sandbox.recording import RecordingMiddleware
from portone_sandbox.routing import RoutingMiddleware
from portone_sandbox.store_selection import StoreMiddleware
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
    """The whole sandbox as an ASGI application: one Litestar application serves every store."""

    def __init__(self, main: SandboxState) -> None:
        self._stores = Stores(main)
        self._stores.on_open, self._stores.on_drop = self._open, self._drop
        # No environment proxy and no redirects: a webhook goes to its URL only.
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False)
        self._litestar = _litestar(self._stores, self._sender, self._running)
        self._served: dict[str, _Served] = {}
        self._open(main)
        self._app = StoreMiddleware(self._stores, lambda sandbox: self._served[sandbox.name].app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, or the lifespan."""
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Release held requests: the sandbox is shutting down."""
        for served in self._served.values():
            served.faults.close()

    def _sender(self) -> Sender:
        """The sender of the running call's store."""
        return self._served[current_sandbox().name].sender

    def _open(self, sandbox: SandboxState) -> None:
        served = _Served(self._litestar, sandbox, self._client)
        self._served[sandbox.name] = served
        if sandbox is not self._stores.main:
            served.start()

    def _drop(self, sandbox: SandboxState) -> None:
        served = self._served.pop(sandbox.name)
        served.faults.close()
        served.stop()

    @asynccontextmanager
    async def _running(self, _: Litestar) -> AsyncIterator[None]:
        self._served[MAIN].start()
        try:
            yield
        finally:
            tasks = [task for served in self._served.values() if (task := served.stop())]
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.aclose()


class _Served:
    """What one store has besides its state: its middleware, and the sender of its webhooks."""

    def __init__(self, app: ASGIApp, sandbox: SandboxState, client: httpx.AsyncClient) -> None:
        self.faults = FaultInjectionMiddleware(app, sandbox)
        self.app = RoutingMiddleware(RecordingMiddleware(self.faults, sandbox))
        self.sender = Sender(sandbox, client)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to send."""
        self._task = asyncio.create_task(self.sender.run())

    def stop(self) -> asyncio.Task[None] | None:
        """Stop to send; the task is over soon."""
        if self._task:
            self._task.cancel()
        return self._task


def build(sandbox: SandboxState) -> Application:
    """Build the application around the main store. Runs inside the event loop."""
    return Application(sandbox)


def _litestar(
    stores: Stores,
    sender: Callable[[], Sender],
    running: Callable[[Litestar], AbstractAsyncContextManager[None]],
) -> Litestar:
    return Litestar(
        route_handlers=[
            health,
            v1_router(),
            v2_router(),
            control_router(),
            checkout_router(),
            dashboard_router(),
            kakao_router(),
            naver_router(),
        ],
        dependencies={
            "sandbox": Provide(current_sandbox, sync_to_thread=False),
            "sender": Provide(sender, sync_to_thread=False),
            "stores": Provide(lambda: stores, sync_to_thread=False),
        },
        exception_handlers={HTTPException: refuse_http, Exception: crash},
        lifespan=[running],
        openapi_config=None,
        logging_config=None,
    )


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
