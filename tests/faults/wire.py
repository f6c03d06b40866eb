"""The way to the sandbox, on which an answer can be waited for or made to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase

import httpx

Deed = Callable[[], Awaitable[None]]
LONGEST_S = 60.0


class Wire(httpx.AsyncHTTPTransport):
    """The real connection. A caller who loses patience leaves his call behind, as he would on any
    line; `silent` is when the last of those has been carried out. An answer can be held back until
    something else has happened."""

    def __init__(self) -> None:
        super().__init__(verify=False)  # there is no TLS to the sandbox, and it takes long to load
        self._left: set[asyncio.Task[httpx.Response]] = set()
        self._held: tuple[str, str, Deed] | None = None
        # Only this call is given up when the caller's patience is at its end: on a busy machine
        # the others may take long, and that is not what is tried.
        self.slow: tuple[str, str] | None = None

    def hold(self, method: str, path: str, deed: Deed) -> None:
        """Has `deed` done between the gateway's next answer to such a call and its arrival."""
        self._held = method, path, deed

    @property
    def is_holding(self) -> bool:
        """Whether no such call was made yet."""
        return self._held is not None

    async def silent(self) -> None:
        """Returns when nothing that was given up is under way any more."""
        await asyncio.gather(*self._left, return_exceptions=True)
        self._left.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        struck = self.slow is not None and _is(request, *self.slow)
        patience = request.extensions["timeout"]["read"] if struck else LONGEST_S
        request.extensions["timeout"] = dict.fromkeys(request.extensions["timeout"], LONGEST_S)
        call = asyncio.ensure_future(self._through(request))
        done, _ = await asyncio.wait({call}, timeout=patience)
        if not done:
            self._left.add(call)
            raise httpx.ReadTimeout("no answer in time", request=request)
        response = call.result()
        if self._held is not None and _is(request, *self._held[:2]):
            deed, self._held = self._held[2], None
            await deed()
        return response

    async def _through(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        body = await response.aread()
        await response.aclose()
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def _is(request: httpx.Request, method: str, path: str) -> bool:
    # Without /v1 or /v2 in front, as PortOne names its paths.
    return request.method == method and fnmatchcase(request.url.path[3:], path)
