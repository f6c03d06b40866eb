"""A browser without a browser: it keeps cookies, sends forms, and reads what comes back."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest

from market.app import Market
from tests.support.web import in_process

_numbers = count()
PAGE = {"accept": "text/html"}


@dataclass
class Guest:
    """Somebody with cookies of their own."""

    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return self._kept(await self.http.get(path, headers=self._headers(headers)))

    async def send(
        self, path: str, files: Any = None, origin: str | None = None, **fields: str
    ) -> httpx.Response:
        """A form, with the seal of a page that was just loaded; `origin` is what the browser says
        of the page it stands on."""
        page = (await self.get("/me" if "market_session" in self.cookies else "/signin")).text
        seal = re.findall(r'name="seal" value="(\w+)"', page)[0]
        data = {"seal": seal, **fields}
        headers = self._headers({"origin": origin} if origin else {})
        return self._kept(await self.http.post(path, data=data, files=files, headers=headers))

    async def sign_up(self) -> "Guest":
        email = f"guest{next(_numbers)}@example.com"
        answer = await self.send("/signup", email=email, password="a password", nickname="손님")
        assert answer.status_code == 303, answer.text
        return self

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**PAGE, "cookie": kept, **more}

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if not self.cookies[name]:
                del self.cookies[name]
        return answer


@pytest.fixture
async def guest(market: Market) -> AsyncIterator[Guest]:
    async with in_process(market) as client:
        yield Guest(client.http)
