"""A browser without JavaScript, in this process: pages, cookies, and forms as they were shown."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape

import httpx

from market.app import Market
from market.members.service import TokenPair
from tests.support.web import serving

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class Browser:
    """Somebody's browser. It follows no redirect by itself: that is part of the answer."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.page = ""

    def keep(self, name: str, value: str) -> None:
        """A cookie, whoever made it."""
        self._http.cookies.delete(name) if name in self._http.cookies else None
        self._http.cookies.set(name, value)

    async def status(self, path: str) -> int:
        answer = await self._http.get(path)
        self.page = answer.text
        return answer.status_code

    async def head(self, path: str) -> httpx.Response:
        return await self._http.head(path)

    async def open(self, path: str) -> str:
        """The page's text as somebody reads it."""
        status = await self.status(path)
        assert status == 200, f"{path}: {status}"
        return self.text

    @property
    def text(self) -> str:
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.page)))

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """The form of the page that is open, filled in."""
        hidden = dict(_HIDDEN.findall(self.page))
        return await self.post(path, **{**hidden, **fields})

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """A form put together by hand."""
        answer = await self._http.post(path, data=fields)
        if answer.status_code != 303:
            self.page = answer.text
        return answer


@asynccontextmanager
async def browsing(market: Market, pair: TokenPair | None = None) -> AsyncIterator[Browser]:
    """A browser at this very market, signed in with `pair` or not."""
    headers = {"Accept": "text/html"}
    with serving(market) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # the same ASGI, other names
        async with httpx.AsyncClient(
            transport=transport, base_url="http://t", headers=headers
        ) as http:
            if pair is not None:
                token = market.members.session_cookie(pair).token
                http.cookies.set(market.shop.named("session"), token)
            yield Browser(http)
