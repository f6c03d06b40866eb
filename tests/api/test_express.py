"""The express lane answers what it takes exactly as the routes would; and it does take the plain.

A path that ends in a slash is no path of the lane's, but the same route.
"""

import random
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from market.app import Market
from market.products.express import DETAIL, LIST, ExpressLane
from market.shared.errors import Unavailable
from tests.support.web import Client, in_process, problem

NAMES = ("status", "q", "limit", "cursor", "seller_id", "other", "Q", "")
VALUES = (
    *("", "0", "1", "07", "100", "101", "1000", "-1", "+5", "1.0", "٣", "ON_SALE", "on_sale"),
    *("ON_SALE|RESERVED", "SOLD_OUT", "COMPLETED", "RESERVED", "null", "의자", "%EC%9D%98", "%ff"),
    *("%", "%25", "a+b", "a%2Bb", "a%20b", "%00", "x%00y", "a%0Ab", "%0A", "a=b", "a;b", "_", "\\"),
    *("x" * 100, "x" * 101, "0" * 32, "F" * 32, "f" * 33, "%F0%9F%98%80" * 100),
)


def queries() -> list[str]:
    """Each part with each value, some pairs of them, and whatever else may come."""
    parts = [f"{name}={value}" for name, value in product(NAMES, VALUES)]
    dice = random.Random(1)  # noqa: S311 # the same ones each time
    pairs = ["&".join(dice.sample(parts, 2)) for _ in range(400)]
    return [*parts, *pairs, "", "&", "=", "?", "q", "q&q=a", "&q=a&", "limit=2;q=a", "q[]=a"]


async def both(client: Client, path: str, query: str) -> tuple[Any, Any]:
    """What the lane's address and the route's own answer, apart from the request's id."""
    told = []
    for address in (path, path + "/"):
        answer = await client.http.get(f"{address}?{query}" if query else address)
        headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
        told.append((answer.status_code, headers, answer.content))
    return told[0], told[1]


async def test_a_list_by_either_way_is_the_same(market: Market) -> None:
    async with in_process(market) as client:
        seller = await client.member()
        names = ("원목 의자", "a b", "a+b", "100% _", "x" * 100, "😀" * 50, "a=b;c")
        goods = [
            await seller.post("/api/products", {"name": name, "price": 1, "quantity": 1})
            for name in names
        ]
        known = [f"seller_id={seller.id}", *(f"cursor={one['id']}&limit=2" for one in goods)]
        named = [f"q={quote(name)}" for name in names]
        for query in [*queries(), *known, *named, "limit=2&q=a&status=ON_SALE"]:
            lane, route = await both(client, LIST, query)
            assert lane == route, query


async def test_one_product_by_either_way_is_the_same(market: Market) -> None:
    async with in_process(market) as client:
        seller = await client.member()
        id = (await seller.product())["id"]
        for path in (id, id.upper(), "0" * 32, "nonsense", f"{id}/trades", f"{id}%0A"):
            for query in ("", "q=a"):
                lane, route = await both(client, f"{LIST}/{path}", query)
                assert lane == route, path
        assert (await client.get(f"{LIST}/{id}"))["id"] == id


async def test_who_brings_a_token_goes_to_the_routes(market: Market) -> None:
    async with in_process(market) as client:
        stranger = Client(client.http, "no token of ours")
        for path in (LIST, f"{LIST}/{'0' * 32}"):
            assert problem(await stranger.call("GET", path)) == (401, "token_invalid")


async def taken(market: Market, path: str, query: bytes = b"", method: str = "GET") -> Any:
    """The status the lane answers by itself, with the template it counts under; or None."""
    passed, sent = [], []

    async def routes(*_: Any) -> None:
        passed.append(True)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": method, "path": path, "query_string": query}
    scope |= {"headers": [(b"cookie", b"a=b")]}
    await ExpressLane(routes, lambda: market.window)(scope, send, send)  # type: ignore[arg-type]
    assert bool(passed) != bool(sent)
    return (sent[0]["status"], scope["path_template"]) if sent else None


@pytest.mark.parametrize(
    ("path", "query", "method", "answer"),
    [
        (LIST, b"", "GET", (200, LIST)),
        (LIST, b"limit=100", "GET", (200, LIST)),
        (LIST, b"q=%EC%9D%98%EC%9E%90&status=ON_SALE&cursor=" + b"0" * 32, "GET", (200, LIST)),
        (f"{LIST}/{'0' * 32}", b"", "GET", (404, DETAIL)),
        (LIST, b"limit=101", "GET", None),
        (LIST, b"q=a&q=b", "GET", None),
        (LIST, b"", "POST", None),
        (f"{LIST}/{'0' * 32}", b"", "PATCH", None),
        (f"{LIST}/{'0' * 32}/trades", b"", "GET", None),
        ("/api/productsx", b"", "GET", None),
    ],
)
async def test_the_lane_takes_what_is_plain(
    market: Market, path: str, query: bytes, method: str, answer: tuple[int, str] | None
) -> None:
    assert await taken(market, path, query, method) == answer


async def test_requests_of_both_ways_are_counted_together(market: Market) -> None:
    """And a line of the log is about the product by either way."""
    async with in_process(market) as client:
        id = (await (await client.member()).product())["id"]
        for path, template, about in (
            (LIST, LIST, {}),
            (f"{LIST}/{id}", DETAIL, {"product_id": id}),
        ):
            before = await counted(client, template)
            with capture_logs(processors=[merge_contextvars]) as lines:
                await both(client, path, "")
            assert await counted(client, template) == before + 2
            for line in lines:
                assert {k: line[k] for k in line if k == "product_id"} == about


async def counted(client: Client, template: str) -> float:
    labels = f'{{method="GET",path="{template}",status_code="200"}}'
    name = f"market_request_duration_seconds_count{labels} "
    lines = (await client.call("GET", "/metrics")).text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def test_a_window_that_is_shut_says_when_to_come_back(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def shut(*_: Any) -> bytes:
        raise Unavailable

    monkeypatch.setattr(type(market.window), "page", shut)
    async with in_process(market) as client:
        lane, route = await both(client, LIST, "")
        assert lane == route
        assert (lane[0], lane[1]["retry-after"]) == (503, "1")
