"""The public face: list, search, pages, health, documentation."""

from pathlib import Path

from market import operations
from market.web import page
from tests.support.web import Client


async def test_anyone_may_read_the_list_and_find_in_it(client: Client) -> None:
    seller = await client.member()
    for name in ("원목 의자", "캠핑 의자", "100% 면 셔츠"):
        await seller.post("/api/products", {"name": name, "price": 1, "quantity": 1})
    page = await client.get("/api/products?limit=2")
    assert [item["name"] for item in page["items"]] == ["100% 면 셔츠", "캠핑 의자"]
    rest = await client.get(f"/api/products?limit=2&cursor={page['next_cursor']}")
    assert ([item["name"] for item in rest["items"]], rest["next_cursor"]) == (["원목 의자"], None)
    for query, found in [("의자", 2), ("100%", 1), ("%", 1), ("_", 0), ("없음", 0)]:
        shown = await client.http.get("/api/products", params={"q": query})
        assert len(shown.json()["items"]) == found, query
    item = page["items"][0]
    fields = "id name price currency status quantity remaining seller created_at"
    assert set(item) == set(fields.split())
    assert item["seller"] == {"id": seller.id, "nickname": seller.nickname}


async def test_the_list_can_be_narrowed(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    sold, _ = await seller.product(), await seller.product()
    await buyer.buy(sold["id"])
    for query, found in [
        ("status=ON_SALE", 1),
        ("status=RESERVED", 1),
        ("status=COMPLETED", 0),
        (f"seller_id={seller.id}", 2),
        (f"seller_id={buyer.id}", 0),
        ("seller_id=nonsense", 0),
        ("cursor=nonsense", 0),
    ]:
        assert len((await client.get(f"/api/products?{query}"))["items"]) == found, query


async def test_nothing_in_between_keeps_what_the_api_said(client: Client) -> None:
    seller = await client.member()
    for who, path in [
        (client, "/api/products"),
        (seller, "/api/me"),
        (client, "/api/me"),
        (seller, "http://t//api/me"),
    ]:
        assert (await who.call("GET", path)).headers["cache-control"] == "no-store"


async def test_the_market_says_how_it_is(client: Client) -> None:
    assert await client.get("/health/live") == {"status": "live"}
    assert await client.get("/health/ready") == {"status": "ready"}
    metrics = await client.call("GET", "/metrics")
    assert "http_server_request_duration_seconds_count" in metrics.text
    assert "market_request_duration_seconds_count" in metrics.text  # for one release


async def test_the_api_is_documented_and_needs_no_network_for_it(client: Client) -> None:
    document = await client.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    page = (await client.call("GET", "/docs")).text
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert (await client.call("GET", f"/docs-assets/{asset}")).status_code == 200


TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def test_every_asset_says_what_it_is(client: Client) -> None:
    """With any other media type a browser leaves a style sheet out."""
    paths = [f"/docs-assets/{name}" for name in operations.ASSETS]
    paths += [f"/static/{name}" for name in page.ASSETS]
    assert paths
    for path in paths:
        answer = await client.call("GET", path)
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind == TYPES[Path(path).suffix], path
        assert answer.headers["x-content-type-options"] == "nosniff", path


async def test_every_call_of_the_api_is_in_the_document(client: Client) -> None:
    document = await client.get("/openapi.json")
    calls = {(m.upper(), path) for path, ops in document["paths"].items() for m in ops}
    assert calls >= {
        ("POST", "/api/auth/signup"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/refresh"),
        ("POST", "/api/auth/logout"),
        ("GET", "/api/me"),
        ("GET", "/api/products"),
        ("POST", "/api/products"),
        ("GET", "/api/products/{product_id}"),
        ("PATCH", "/api/products/{product_id}"),
        ("POST", "/api/products/{product_id}/trades"),
        ("GET", "/api/trades/{trade_id}"),
        ("POST", "/api/trades/{trade_id}/approve"),
        ("POST", "/api/trades/{trade_id}/confirm"),
        ("POST", "/api/trades/{trade_id}/cancel"),
        ("GET", "/api/me/purchases"),
        ("GET", "/api/me/sales"),
        ("GET", "/api/me/reservations"),
        ("POST", "/api/trades/{trade_id}/payment"),
        ("GET", "/api/payments/{payment_id}"),
        ("POST", "/api/payments/{payment_id}/complete"),
        ("POST", "/webhooks/portone/v1"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }
