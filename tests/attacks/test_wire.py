"""Messages that no proper client sends: too big, too many, too slow, in pieces, ambiguous."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from market.app import LARGEST_BODY
from tests.attacks.conftest import Siege
from tests.attacks.wire import Heard, Line, exchange, request
from tests.support.web import Client

SLOW = 150
JSON = b"Content-Type: application/json"
HALF_A_HEAD = b"GET /api/products HTTP/1.1\r\nHost: market\r\nX-Slow: "
HALF_A_BODY = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: market\r\nContent-Type: application/json\r\n"
    b'Content-Length: 100\r\n\r\n{"email": '
)


@pytest.fixture
async def slow(siege: Siege) -> AsyncIterator[dict[str, list[Line]]]:
    """Three crowds at one server, who take their time with everything."""
    crowds: dict[str, list[Line]] = {}
    for name, start in {"silent": b"", "head": HALF_A_HEAD, "body": HALF_A_BODY}.items():
        lines = [await Line.to(siege.market.servers[0]) for _ in range(SLOW)]
        for line in lines:
            await line.say(start)
        crowds[name] = lines
    yield crowds
    for line in [line for lines in crowds.values() for line in lines]:
        line.writer.close()


async def test_slow_clients_keep_nobody_waiting_and_are_hung_up_on(
    slow: dict[str, list[Line]], door: Client
) -> None:
    member = await door.member()
    await member.product()
    assert (await door.get("/api/products"))["items"]
    said = {
        name: {heard.status for heard in await asyncio.gather(*(line.hear() for line in lines))}
        for name, lines in slow.items()
    }
    assert said == {"silent": {0}, "head": {0}, "body": {408}}


async def post(siege: Siege, *headers: bytes, body: bytes) -> Heard:
    message = request(b"/api/auth/login", JSON, *headers, method=b"POST", body=body)
    return await exchange(siege.market.servers[0], message)


async def test_a_body_in_pieces_is_refused_where_it_passes_the_limit(siege: Siege) -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    pieces = piece * (LARGEST_BODY // 0x10000)
    within = await post(siege, b"Transfer-Encoding: chunked", body=pieces + b"0\r\n\r\n")
    assert within.status == 400
    # No end is ever sent: it is refused when it is too large, not when it is over.
    beyond = await post(siege, b"Transfer-Encoding: chunked", body=pieces + piece)
    assert beyond.status == 413


async def test_a_body_that_is_announced_too_large_is_refused_unread(siege: Siege) -> None:
    assert (await post(siege, b"Content-Length: 99999999", body=b"")).status == 413


@pytest.mark.parametrize(
    "length",
    [
        (b"Content-Length: 2", b"Content-Length: 3"),
        (b"Content-Length: -1",),
        (b"Content-Length: 2, 3",),
        (b"Content-Length: 0x2",),
        (b"Content-Length: " + b"9" * 40,),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding: xchunked",),
        (b" Content-Length: 2",),
    ],
)
async def test_a_message_whose_end_is_in_doubt_is_refused_whole(
    siege: Siege, length: tuple[bytes, ...]
) -> None:
    """What two readers could cut apart differently is how one request hides in another."""
    heard = await post(siege, *length, body=b"{}")
    assert heard.status == 400
    assert heard.raw.count(b"HTTP/1.1 ") == 1


async def test_where_both_lengths_are_given_nothing_is_read_as_a_second_request(
    siege: Siege,
) -> None:
    hidden = b"GET /api/me HTTP/1.1\r\nHost: market\r\n\r\n"
    both = b"Content-Length: 5", b"Transfer-Encoding: chunked"
    heard = await post(siege, *both, body=b"0\r\n\r\n" + hidden)
    assert heard.status == 400
    assert heard.raw.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (request(b"/health/live", *(b"X-%d: 1" % n for n in range(300))), 431),
        (request(b"/health/live", b"X-Huge: " + b"a" * 1_000_000), 431),
        (request(b"/api/me", b"Authorization: Bearer " + b"a" * 100_000), 401),
        (request(b"/api/products?" + b"a=1&" * 5_000), 200),
        (request(b"/api/products?limit=" + b"9" * 10_000), 400),
        (request(b"/" + b"a" * 50_000), 404),
        (request(b"/" + b"a/" * 20_000), 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
        (b"\0" * 1000 + b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        (request(b"/health/live", method=b"TRACE"), 405),
        (request(b"market:80", method=b"CONNECT"), 405),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else None,
)
async def test_huge_odd_and_alien_messages_get_a_plain_no(
    siege: Siege, message: bytes, status: int
) -> None:
    assert (await exchange(siege.market.servers[0], message)).status == status


@pytest.mark.parametrize(
    "path", [b"/", b"/health/ready", b"/api/products", b"/static/shop.css", b"/metrics", b"/docs"]
)
async def test_a_head_has_its_length_and_no_body(siege: Siege, path: bytes) -> None:
    heard = await exchange(siege.market.servers[0], request(path, method=b"HEAD"))
    assert (heard.status, heard.body) == (200, b"")
    assert int(heard.headers["content-length"]) > 0


async def test_an_upgrade_is_not_taken(siege: Siege) -> None:
    upgrade = b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: eA=="
    heard = await exchange(siege.market.servers[0], request(b"/health/live", *upgrade))
    assert heard.status == 200
    assert "upgrade" not in heard.headers


async def test_who_hangs_up_in_the_middle_of_a_body_is_no_error_of_ours(
    siege: Siege, door: Client
) -> None:
    id = b"hung-up-in-the-middle"
    line = await Line.to(siege.market.servers[0])
    await line.say(HALF_A_BODY.replace(b"Host", b"X-Request-Id: " + id + b"\r\nHost"))
    line.writer.write_eof()
    line.writer.close()
    await door.get("/health/ready")
    errors = [line for line in siege.lines() if "unexpected_error" in line]
    assert [line for line in errors if id.decode() in line] == []
