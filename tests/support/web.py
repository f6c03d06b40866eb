"""The market's HTTP face, in process or behind a socket, as its clients use it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx
from litestar import Litestar

from market.app import Market, web_app

_numbers = count()
_idle_apps: list[Litestar] = []


@dataclass
class Client:
    """Somebody at the API, signed in or not."""

    http: httpx.AsyncClient
    token: str | None = None
    refresh_token: str = ""
    id: str = ""
    email: str = ""
    nickname: str = ""

    async def call(
        self, method: str, path: str, json: Any = None, **headers: str
    ) -> httpx.Response:
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=json, headers=names)

    async def get(self, path: str) -> Any:
        return _fine(await self.call("GET", path))

    async def post(self, path: str, json: Any = None, **headers: str) -> Any:
        return _fine(await self.call("POST", path, json, **headers))

    async def member(self, nickname: str = "someone") -> "Client":
        """A new member on the same connection."""
        nickname = f"{nickname}{next(_numbers)}"  # one member's alone
        email = f"{nickname}@example.com"
        body = {"email": email, "password": "a password", "nickname": nickname}
        signed = await Client(self.http).post("/api/auth/signup", body)
        tokens = signed["access_token"], signed["refresh_token"]
        return Client(self.http, *tokens, signed["member"]["id"], email, nickname)

    async def again(self) -> "Client":
        """The same member, signed in anew: time may have passed."""
        body = {"email": self.email, "password": "a password"}
        tokens = await Client(self.http).post("/api/auth/login", body)
        return replace(self, token=tokens["access_token"], refresh_token=tokens["refresh_token"])

    async def product(self, quantity: int = 1, price: int = 1000) -> Any:
        body = {"name": "의자", "price": price, "quantity": quantity}
        return await self.post("/api/products", body)

    async def buy(self, product_id: str) -> Any:
        return await self.post(f"/api/products/{product_id}/trades")


def _fine(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.status_code} {response.text}"
    return response.json() if response.content else None


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which must be a whole problem document (RFC 9457)."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: Mapping[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    return response.status_code, body["code"]


@contextmanager
def serving(market: Market) -> Iterator[Litestar]:
    """The market's application, for as long as it serves this very market.

    Building one takes longer than most tests. It keeps nothing of a market but its reference, so
    the next test gets it with a market of its own, as a server gets one when it starts.
    """
    app = _idle_apps.pop() if _idle_apps else web_app(lambda: nullcontext(app.state.market))
    app.state.market = market
    try:
        yield app
    finally:
        del app.state.market
        _idle_apps.append(app)


@asynccontextmanager
async def in_process(market: Market) -> AsyncIterator[Client]:
    """A client of this very market, without a socket in between."""
    with serving(market) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # the same ASGI, other names
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            yield Client(http)
