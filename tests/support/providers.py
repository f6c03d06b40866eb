"""The sandbox's stand-ins of Kakao and Naver in this process, and a person at their page."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx

from market.members.oauth.client import OAuthApp
from market.members.oauth.kakao import Kakao
from market.members.oauth.naver import Naver
from market.shared.clock import Clock
from portone_sandbox.app import build
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store

EncodedResponse = Callable[[httpx.Request], httpx.Response]


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """The way to the providers; notes what is sent, and may lead elsewhere."""

    to: httpx.AsyncBaseTransport
    sent: list[httpx.Request] = field(default_factory=list)
    instead: dict[str, EncodedResponse] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        for end, answer in self.instead.items():
            if request.url.path.endswith(end):
                return answer(request)
        return await self.to.handle_async_request(request)


@dataclass
class StandIns:
    """Both providers, the market's adapters for them, and their people."""

    sandbox: SandboxState
    wire: Wire
    client: httpx.AsyncClient
    providers: list[Kakao | Naver]

    @classmethod
    @asynccontextmanager
    async def open(cls, clock: Clock) -> AsyncIterator["StandIns"]:
        sandbox = SandboxState(Store(":memory:"))
        gate = build(sandbox)
        wire = Wire(httpx.ASGITransport(gate))  # type: ignore[arg-type] # the same ASGI
        async with httpx.AsyncClient(transport=wire, base_url="http://sandbox") as client:
            oauth = sandbox.credentials.oauth
            at = {name: f"http://sandbox/oauth/{name}" for name in ("kakao", "naver")}
            kakao = OAuthApp(
                oauth.kakao.client_id, oauth.kakao.client_secret, at["kakao"], at["kakao"]
            )
            naver = OAuthApp(
                oauth.naver.client_id, oauth.naver.client_secret, at["naver"], at["naver"]
            )
            yield cls(sandbox, wire, client, [Kakao(kakao, client, clock), Naver(naver, client)])
        sandbox.store.close()

    async def answer(self, place: str, **chosen: str) -> dict[str, str]:
        """What a person's browser brings back from the page at `place`."""
        query = {"decision": "approve", **chosen}
        came = await self.client.get(httpx.URL(place).copy_merge_params(query))
        assert came.status_code == 302, came.text
        back = parse_qs(urlsplit(came.headers["location"]).query)
        return {name: values[0] for name, values in back.items()}
