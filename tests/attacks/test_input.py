"""Bodies in the wrong clothes: other types, other encodings, odd characters, great depth. More is
in tests/api/test_problems.py; bytes on the wire are in test_wire.py."""

import asyncio
from typing import Any

import pytest
from litestar import Litestar, post
from litestar.params import JSONBody
from msgspec import Struct

from market.app import Market
from market.kit.http.problems import EXCEPTION_HANDLERS
from market.kit.http.request import StrictJsonRequest
from tests.attacks.sales import member
from tests.support.web import Client, problem

GOOD = '{"name": "chair", "price": 1000, "quantity": 1}'
INVALID, UNSUPPORTED = (400, "invalid_request"), (415, "unsupported_media_type")
DEEP = GOOD[:-1] + ', "more": '


async def send(client: Client, market: Market, body: bytes, **headers: str) -> tuple[int, str]:
    """What a signed-in member is told who lists this; and nothing may be listed then."""
    seller = await member(market, client.http)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Authorization"] = f"Bearer {seller.token}"
    told = problem(await client.http.post("/api/products", content=body, headers=named))
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 0
    return told


OTHER_TYPES = [
    "",
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/msgpack",
    "application/vnd.api+json",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/json, text/plain",
    "a" * 5_000,
]


async def test_a_body_that_does_not_say_it_is_json_is_not_read_as_json(
    client: Client, market: Market
) -> None:
    """A page of another site may send the first of these with its visitor's cookies."""
    for content_type in OTHER_TYPES:
        told = await send(client, market, GOOD.encode(), Content_Type=content_type)
        assert told == UNSUPPORTED, content_type


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/json ;"]
)
async def test_json_is_json_however_it_is_spelled(
    client: Client, market: Market, content_type: str
) -> None:
    seller = await member(market, client.http)
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {seller.token}"}
    answer = await client.http.post("/api/products", content=GOOD, headers=headers)
    assert answer.status_code == 201
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_a_compressed_body_is_not_unpacked(client: Client, market: Market) -> None:
    for coding in ("gzip", "deflate", "br", "identity"):
        headers = {"Content_Type": "application/json", "Content_Encoding": coding}
        assert await send(client, market, GOOD.encode(), **headers) == UNSUPPORTED, coding


UNREADABLE = [
    GOOD.encode("utf-16"),
    GOOD.encode("utf-32-le"),
    b"\xef\xbb\xbf" + GOOD.encode(),
    GOOD.encode().replace(b"chair", b"\xed\xa0\x80"),
    GOOD.encode().replace(b"chair", b"\xc0\xaf"),
    GOOD.encode().replace(b"chair", b"\\ud800"),
    GOOD.encode().replace(b"chair", b"a\\u0000b"),
    GOOD.encode() * 2,
    GOOD.encode() + b"//",
    GOOD.replace("1000", "1000.0").encode(),
    GOOD.replace("1000", "1e3").encode(),
    GOOD.replace("1000", "01000").encode(),
    GOOD.replace("1000", "+1000").encode(),
    GOOD.replace("1000", "0x3e8").encode(),
    GOOD.replace("1000", "-0").encode(),
    GOOD.replace("1000", "9" * 5_000).encode(),
    GOOD.replace("1000", "9223372036854775808").encode(),
    GOOD.replace("1000", "Infinity").encode(),
    (DEEP + "[" * 100_000 + "]" * 100_000 + "}").encode(),
    (DEEP + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}").encode(),
]


async def test_other_encodings_odd_numbers_and_great_depth_are_refused(
    client: Client, market: Market
) -> None:
    for number, body in enumerate(UNREADABLE):
        told = await send(client, market, body, Content_Type="application/json")
        assert told == INVALID, (number, body[:60])


ODD = ["a\r\nb", "a\nb", "a\tb", "a\x1b[2Jb", "a\x7fb", "a\x9bb", "a\u2028b", "a\u202eb", "\u2066"]


async def test_what_stands_on_one_line_is_one_line_and_reads_as_it_stands(
    client: Client, market: Market
) -> None:
    """A nickname, a product's name, a reason, an account's holder."""
    seller = await member(market, client.http)
    for odd in ODD:
        for path, body in one_line_each(odd):
            assert problem(await seller.call("POST", path, body)) == INVALID, body


def one_line_each(odd: str) -> list[tuple[str, dict[str, Any]]]:
    account = {"bank": "KAKAO", "number": "333301234567", "holder": odd}
    nobody = f"/api/trades/{'0' * 32}/cancel"
    return [
        ("/api/auth/signup", {"email": "a@b.test", "password": "a password", "nickname": odd}),
        ("/api/products", {"name": odd, "price": 1, "quantity": 1}),
        (nobody, {"reason": odd}),
        (nobody, {"reason": "why", "refund_account": account}),
        (nobody, {"reason": "why", "refund_account": account | {"number": f"123456{odd}"}}),
    ]


NO_NUMBERS = [
    *("123456\n", "123456\r", "12345", "", "-" * 9, "1-2-3-4-5", "1" * 21, "123456\u202e"),
    *("１２３４５", "٣٣٣٣٣٣٣٣", "12345a", "①②③④⑤⑥", "123456²", "+123456", "12,345,678"),
]


async def test_an_accounts_number_is_digits_and_nothing_behind_them(
    client: Client, market: Market
) -> None:
    buyer = await member(market, client.http)
    for number in NO_NUMBERS:
        account = {"bank": "KAKAO", "number": number, "holder": "bora"}
        body = {"reason": "why", "refund_account": account}
        refused = await buyer.call("POST", f"/api/trades/{'0' * 32}/cancel", body)
        assert problem(refused) == INVALID, number


async def test_ordinary_names_of_all_tongues_are_taken(client: Client, market: Market) -> None:
    seller = await member(market, client.http)
    for name in ("원목 의자", "Çhaise №1 — «neuve»", "👩‍👩‍👧 의자", "a'; DROP TABLE x; --"):
        made = await seller.post("/api/products", {"name": name, "price": 1, "quantity": 1})
        assert made["name"] == name


class Anything(Struct):
    a: int


@post("/", status_code=200)
async def take(data: JSONBody[Anything]) -> None:
    """Takes a body."""


async def test_a_body_that_never_ends_is_given_up() -> None:
    class Hasty(StrictJsonRequest):
        body_timeout_s = 0.01

    app = Litestar([take], request_class=Hasty, exception_handlers=dict(EXCEPTION_HANDLERS))
    sent: list[Any] = []
    first = [{"type": "http.request", "body": b'{"a": ', "more_body": True}]

    async def receive() -> Any:
        return first.pop() if first else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "server": ("t", 80),
        "scheme": "http",
        "root_path": "",
    }
    await app(scope, receive, send)  # type: ignore[arg-type] # as a server would
    assert sent[0]["status"] == 408
