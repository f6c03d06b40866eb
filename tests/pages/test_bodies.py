"""A request's sender, and whether they may send it, are known before its body is read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from litestar.routes import HTTPRoute

from market.app import Market, web_app
from market.kit.http.request import StrictJsonRequest
from market.web.form_body import LARGEST_TEXTS, TOKEN_WITHIN, FormBody
from tests.support.acts import Acts
from tests.support.web import Client

from .conftest import Guest

CHUNK = 16 * 1024
MEGABYTES = 40
EDGE = "edge"
KIND = f"multipart/form-data; boundary={EDGE}"


@dataclass
class Body:
    """A form that is long, and notes how much of it was asked for."""

    parts: list[tuple[str, bytes]]
    sent: int = 0
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": KIND})

    async def __aiter__(self) -> AsyncIterator[bytes]:
        whole = b"".join(
            f"--{EDGE}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in self.parts
        )
        whole += f"--{EDGE}--\r\n".encode()
        for start in range(0, len(whole), CHUNK):
            chunk = whole[start : start + CHUNK]
            self.sent += len(chunk)
            yield chunk


def photos(count: int = 5, *, named: bool = False) -> list[tuple[str, bytes]]:
    """So many photos of 8 MB."""
    name = 'name="photos"; filename="a.jpg"' if named else 'name="photos"'
    return [(name, b"x" * (MEGABYTES * 1024 * 1024 // 5))] * count


async def post(guest: Guest, path: str, body: Body) -> httpx.Response:
    headers = guest._headers(body.headers)
    return await guest.http.post(path, content=body, headers=headers)


async def seal(guest: Guest) -> str:
    page = (await guest.get("/sell")).text
    return page.partition('name="seal" value="')[2].partition('"')[0]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("sealed", [True, False])
async def test_of_a_strangers_files_nothing_is_read(
    guest: Guest, named: bool, sealed: bool
) -> None:
    """No further than the seal, which may be that of a session which ended."""
    page = (await guest.get("/signin")).text
    token = page.partition('name="seal" value="')[2].partition('"')[0]
    first = [('name="seal"', token.encode())] if sealed else []
    body = Body(first + photos(named=named))
    answer = await post(guest, "/sell", body)
    if sealed:
        assert answer.headers["location"].startswith("/signin")
    else:
        assert answer.status_code == 403 if named else 413
    assert body.sent <= TOKEN_WITHIN


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("given", [None, "0" * 64])
async def test_a_form_that_is_none_of_ours_is_refused_at_its_beginning(
    guest: Guest, named: bool, given: str | None
) -> None:
    await guest.sign_up()
    first = [] if given is None else [('name="seal"', given.encode())]
    body = Body(first + photos(named=named))
    assert (await post(guest, "/sell", body)).status_code in {403, 413}
    assert body.sent <= TOKEN_WITHIN


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("path", ["/sell", "/signin"])
async def test_a_form_without_files_is_small(guest: Guest, path: str, signed_in: bool) -> None:
    if signed_in:
        await guest.sign_up()
    body = Body([("", b"x" * MEGABYTES * 1024 * 1024)])
    body.headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await post(guest, path, body)).status_code == 413
    assert body.sent <= TOKEN_WITHIN


async def test_a_product_of_somebody_elses_is_not_there_before_the_photos_are_read(
    guest: Guest, acts: Acts
) -> None:
    await guest.sign_up()
    product = await acts.product(await acts.member())
    body = Body([('name="seal"', (await seal(guest)).encode()), *photos(named=True)])
    assert (await post(guest, f"/products/{product.id}/edit", body)).status_code == 404
    assert body.sent <= TOKEN_WITHIN


async def test_texts_are_not_taken_into_memory_without_an_end(guest: Guest) -> None:
    """Also where they say they are photos."""
    await guest.sign_up()
    body = Body([('name="seal"', (await seal(guest)).encode()), *photos()])
    assert (await post(guest, "/sell", body)).status_code == 413
    assert body.sent <= LARGEST_TEXTS + 2 * CHUNK


async def test_a_form_of_many_parts_is_refused(guest: Guest) -> None:
    await guest.sign_up()
    many = [(f'name="n{n}"', b"") for n in range(1000)]
    body = Body([('name="seal"', (await seal(guest)).encode()), *many])
    assert (await post(guest, "/sell", body)).status_code == 413


async def test_a_form_that_breaks_off_is_refused(guest: Guest) -> None:
    await guest.sign_up()
    token = await seal(guest)
    cut = f'--{EDGE}\r\nContent-Disposition: form-data; name="seal"\r\n\r\n{token}\r\n--{EDGE}'
    answer = await guest.http.post(
        "/sell", content=cut.encode(), headers=guest._headers({"content-type": KIND})
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("kind", [KIND, "application/x-www-form-urlencoded"])
async def test_a_form_that_does_not_come_is_not_waited_for(market: Market, kind: str) -> None:
    class Hasty(StrictJsonRequest):
        body_timeout_s = 0.05

    async def never() -> None:
        await asyncio.Event().wait()

    app = web_app(lambda: None)  # type: ignore[arg-type, return-value] # it is never started
    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", kind.encode())],
        "litestar_app": app,
        "state": {},
        "route_handler": next(iter(route_handlers(app))),
    }
    body = FormBody(Hasty(scope, never))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="too long"):
        await body.token("seal")


def route_handlers(app: object) -> list[object]:
    return [r.route_handlers[0] for r in app.routes if isinstance(r, HTTPRoute)]  # type: ignore[attr-defined]


async def test_no_route_for_members_reads_a_strangers_body(market: Market) -> None:
    app = web_app(lambda: None)  # type: ignore[arg-type, return-value] # it is never started
    app.state.market = market
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    asked = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        client = Client(http)
        for path, methods in app.openapi_schema.to_schema()["paths"].items():
            for method, operation in methods.items():
                if "requestBody" not in operation or not operation.get("security"):
                    continue
                asked += 1
                body = Body(photos())
                headers = {"content-type": "application/json", "idempotency-key": "k"}
                there = path.replace("{", "").replace("}", "")
                answer = await client.http.request(
                    method,
                    there,
                    content=body,
                    headers=headers,
                )
                assert (answer.status_code, body.sent) == (401, 0), path
    assert asked > 5
