"""The express lane answers what it takes exactly as the routes would; and it does take the plain.

A path that ends in a slash is no path of the lane's, but the same route.
"""

import random
from dataclasses import replace
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from market.app import Market
from market.kit.http.fast_path import FastPath
from market.kit.http.idempotency import EncodedResponse
from market.kit.observability.logging import with_ids
from market.products.express import fast_routes as at_window
from market.products.http import CatalogueReader
from market.shared.errors import Unavailable
from market.trades.express import fast_routes as at_counter
from market.trades.http import Counter
from tests.support.web import Client, in_process, problem

LIST, DETAIL = "/api/products", "/api/products/{product_id}"
BUY = f"{DETAIL}/trades"
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


async def both(
    client: Client, path: str, query: str, method: str = "GET", **headers: str
) -> tuple[Any, Any]:
    """What the lane's address and the route's own answer, apart from the request's id."""
    told = []
    for address in (path, path + "/"):
        target = f"{address}?{query}" if query else address
        answer = await client.call(method, target, **headers)
        shown = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
        told.append((answer.status_code, shown, answer.content))
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


async def test_a_purchase_by_either_way_is_the_same(market: Market) -> None:
    """Refusals whole; of two purchases all but what differs between any two."""
    async with in_process(market) as client:
        seller, buyer = await client.member("s"), await client.member("b")
        goods = [(await seller.product())["id"] for _ in range(2)]
        odd = ("0" * 32, "nonsense")
        for who in (seller, buyer, client, Client(client.http, "no token of ours")):
            for id in (*odd, goods[0]) if who is not buyer else odd:
                lane, route = await both(who, f"{LIST}/{id}/trades", "", "POST")
                assert lane == route
                assert lane[0] >= 400
        unlike = {"id", "product", "created_at", "hold_expires_at"}
        first, second = f"{LIST}/{goods[0]}/trades", f"{LIST}/{goods[1]}/trades/"
        one, two = await buyer.post(first), await buyer.post(second)
        assert {k: one[k] for k in one if k not in unlike} == {
            k: two[k] for k in two.keys() - unlike
        }
        for path in (first, second):
            assert problem(await buyer.call("POST", path)) == (409, "already_bought")


async def test_a_key_holds_at_the_lane_as_at_the_route(market: Market) -> None:
    async with in_process(market) as client:
        seller, buyer = await client.member("s"), await client.member("b")
        first, other = [(await seller.product(2))["id"] for _ in range(2)]
        path = f"{LIST}/{first}/trades"
        one = await buyer.call("POST", path, Idempotency_Key="k")
        again = await buyer.call("POST", path, Idempotency_Key="k")
        assert (one.status_code, one.content) == (201, again.content)
        # The route knows the same key: a body of no bytes is the same body.
        with_body = await buyer.call("POST", path, {}, Idempotency_Key="k")
        assert problem(with_body) == (422, "idempotency_key_reused")
        elsewhere = await buyer.call("POST", f"{LIST}/{other}/trades", Idempotency_Key="k")
        assert problem(elsewhere) == (422, "idempotency_key_reused")
        for bad in ("", "x" * 256):
            refused = await buyer.call("POST", path, Idempotency_Key=bad)
            assert problem(refused) == (400, "invalid_request")


async def test_an_odd_host_is_for_the_routes_to_refuse(market: Market) -> None:
    async with in_process(market) as client:
        for path in (LIST, f"{LIST}/{'0' * 32}"):
            for host in ("a/b", "a b", "a,b", "", "[::1]:80", "wanted.example"):
                lane, route = await both(client, path, "", Host=host)
                assert lane == route, host


async def test_who_brings_a_token_goes_to_the_routes(market: Market) -> None:
    async with in_process(market) as client:
        stranger = Client(client.http, "no token of ours")
        for path in (LIST, f"{LIST}/{'0' * 32}"):
            assert problem(await stranger.call("GET", path)) == (401, "token_invalid")


async def taken(
    market: Market, method: str, target: str, headers: dict[bytes, bytes]
) -> tuple[int, str] | None:
    """The status the lane answers by itself, with the template it counts under; None: it lets the
    request pass."""
    passed, sent = [], []

    async def routes(*_: Any) -> None:
        passed.append(True)

    async def send(message: Any) -> None:
        sent.append(message)

    async def nobody(_: Any) -> None:
        return None

    path, _, query = target.partition("?")
    scope: Any = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    scope["headers"] = list(headers.items())
    fast_routes = (
        *at_window(lambda: market.catalogue),
        *at_counter(lambda: market.counter, nobody),
    )
    await FastPath(routes, fast_routes)(scope, send, send)  # type: ignore[arg-type]
    assert bool(passed) != bool(sent)
    return (sent[0]["status"], scope["path_template"]) if sent else None


TOKEN = {b"authorization": b"Bearer a"}


@pytest.mark.parametrize(
    ("method", "target", "headers", "answer"),
    [
        ("GET", LIST, {b"cookie": b"a=b"}, (200, LIST)),
        ("GET", f"{LIST}?limit=100", {}, (200, LIST)),
        ("GET", f"{LIST}?q=%EC%9D%98&status=ON_SALE&cursor={'0' * 32}", {}, (200, LIST)),
        ("GET", f"{LIST}/{'0' * 32}", {}, (404, DETAIL)),
        ("POST", f"{LIST}/{'0' * 32}/trades", TOKEN, (401, BUY)),
        ("POST", f"{LIST}/{'0' * 32}/trades", TOKEN | {b"content-length": b"0"}, (401, BUY)),
        ("POST", f"{LIST}/{'0' * 32}/trades", TOKEN | {b"idempotency-key": b"k"}, (401, BUY)),
        ("GET", f"{LIST}?limit=101", {}, None),
        ("GET", f"{LIST}?q=a&q=b", {}, None),
        ("GET", LIST, TOKEN, None),
        ("GET", f"{LIST}/{'0' * 32}", TOKEN, None),
        ("GET", f"{LIST}x", {}, None),
        ("POST", LIST, {}, None),
        ("PATCH", f"{LIST}/{'0' * 32}", TOKEN, None),
        ("GET", f"{LIST}/{'0' * 32}/trades", TOKEN, None),
        ("POST", f"{LIST}/{'0' * 32}/trades", {}, None),
        ("POST", f"{LIST}/{'0' * 31}/trades", TOKEN, None),
        ("POST", f"{LIST}/{'0' * 32}/trades", TOKEN | {b"content-length": b"2"}, None),
        ("POST", f"{LIST}/{'0' * 32}/trades", TOKEN | {b"transfer-encoding": b"chunked"}, None),
    ],
)
async def test_the_lane_takes_what_is_plain(
    market: Market,
    method: str,
    target: str,
    headers: dict[bytes, bytes],
    answer: tuple[int, str] | None,
) -> None:
    assert await taken(market, method, target, headers) == answer


async def test_requests_of_both_ways_are_counted_together(market: Market) -> None:
    """And a line of the log is about the product by either way."""
    async with in_process(market) as client:
        id = (await (await client.member()).product())["id"]
        for path, template, about in (
            (LIST, LIST, {}),
            (f"{LIST}/{id}", DETAIL, {"product_id": id}),
        ):
            before = await counted(client, template)
            with capture_logs(processors=[with_ids]) as lines:
                await both(client, path, "")
            assert await counted(client, template) == before + 2
            assert len(lines) == 2
            for line in lines:
                assert {k: line[k] for k in line if k == "product_id"} == about


async def counted(client: Client, template: str) -> float:
    labels = f'{{method="GET",path="{template}",status_code="200"}}'
    name = f"http_server_request_duration_seconds_count{labels} "
    lines = (await client.call("GET", "/metrics")).text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


class UnavailableCatalogue(CatalogueReader):
    """Where nobody is shown anything now."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def page(self, *_: Any) -> EncodedResponse:
        raise self._error

    async def detail(self, *_: Any) -> EncodedResponse:
        raise self._error


class ShutCounter(Counter):
    """Where nobody is served now."""

    async def serve(self, *_: Any) -> Any:
        raise Unavailable


async def test_a_window_that_is_shut_says_when_to_come_back(market: Market) -> None:
    counter = ShutCounter(market.trades, market.idempotency)
    shut = replace(market, catalogue=UnavailableCatalogue(Unavailable()), counter=counter)
    async with in_process(shut) as client:
        buyer = await client.member()
        for who, method, path in (
            (client, "GET", LIST),
            (client, "GET", f"{LIST}/{'0' * 32}"),
            (buyer, "POST", f"{LIST}/{'0' * 32}/trades"),
        ):
            lane, route = await both(who, path, "", method)
            assert lane == route
            assert (lane[0], lane[1]["retry-after"]) == (503, "1")


async def test_trouble_in_the_lane_is_about_what_its_path_names(market: Market) -> None:
    broken = replace(market, catalogue=UnavailableCatalogue(ZeroDivisionError()))
    async with in_process(broken) as client:
        with capture_logs(processors=[with_ids]) as lines:
            await both(client, f"{LIST}/{'0' * 32}", "")
    bugs = [line for line in lines if line["event"] == "unexpected_error"]
    assert [line["product_id"] for line in bugs] == ["0" * 32] * 2
