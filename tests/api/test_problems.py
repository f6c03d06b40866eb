"""Bad input gets a clear problem+json and changes nothing."""

from typing import Any

import pytest

from market.app import Market
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, problem

GOOD = {"name": "의자", "price": 1000, "quantity": 1}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, "not_found")),
        ("GET", "/api/products/a/b/c", (404, "not_found")),
        ("GET", "/docs/nowhere", (404, "not_found")),
        ("GET", "/docs-assets/nothing.js", (404, "not_found")),
        ("GET", "/docs-assets/%00", (404, "not_found")),
        ("GET", "/docs-assets/" + "x" * 5000, (404, "not_found")),
        ("DELETE", "/api/products", (405, "method_not_allowed")),
        ("GET", "/api/products?limit=0", (400, "invalid_request")),
        ("GET", "/api/products?limit=many", (400, "invalid_request")),
        ("GET", "/api/products?status=NEARLY", (400, "invalid_request")),
    ],
)
async def test_paths_methods_and_queries(
    client: Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert problem(await client.call(method, path)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"name": "x"}',
        b'{"price": NaN}',
        b"[" * 9999,
    ],
)
async def test_bodies_that_cannot_be_read(client: Client, body: bytes) -> None:
    seller = await client.member()
    headers = {"Authorization": f"Bearer {seller.token}", "Content-Type": "application/json"}
    answer = await client.http.post("/api/products", content=body, headers=headers)
    assert problem(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 1},
        {"name": ""},
        {"name": "  "},
        {"name": "n" * 101},
        {"name": "nul\0"},
        {"name": None},
        {"price": 0},
        {"price": -1},
        {"price": 10**30},
        {"price": 1.5},
        {"price": "1000"},
        {"price": True},
        {"quantity": 0},
        {"quantity": 1_000_001},
        {"description": "d" * 5001},
        {"description": {"nested": True}},
    ],
)
async def test_products_that_make_no_sense(
    client: Client, market: Market, wrong: dict[str, Any]
) -> None:
    seller = await client.member()
    refused = await seller.call("POST", "/api/products", GOOD | wrong)
    assert problem(refused) == (400, "invalid_request")
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 0


async def test_a_problem_names_the_field(client: Client) -> None:
    seller = await client.member()
    refused = await seller.call("POST", "/api/products", GOOD | {"price": 0})
    assert "price" in refused.text


async def test_a_body_too_large_is_refused(client: Client) -> None:
    seller = await client.member()
    refused = await seller.call("POST", "/api/products", GOOD | {"description": "d" * 300_000})
    assert problem(refused) == (413, "body_too_large")


async def test_the_quantity_cannot_fall_below_what_is_taken(client: Client) -> None:
    seller = await client.member()
    product = await seller.product(quantity=2)
    for name in ("b1", "b2"):
        await (await client.member(name)).buy(product["id"])
    path = f"/api/products/{product['id']}"
    refused = await seller.call("PATCH", path, {"quantity": 1, "name": "changed"})
    assert problem(refused) == (409, "quantity_below_taken")
    assert (await client.get(path))["name"] == "의자"
    changed = await seller.call("PATCH", path, {"quantity": 3, "price": 5})
    shown = changed.json()
    assert (shown["remaining"], shown["price"], shown["status"]) == (1, 5, "ON_SALE")
    assert problem(await seller.call("PATCH", path, {"price": None})) == (400, "invalid_request")


async def test_an_unknown_payment_method_is_refused(client: Client) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    path = f"/api/trades/{trade['id']}/payment"
    assert problem(await buyer.call("POST", path, {"method": "BARTER"}))[0] == 400
    unavailable = await buyer.call("POST", path, {"method": "VIRTUAL_ACCOUNT"})
    assert problem(unavailable) == (400, "bank_needed")


async def test_a_gateway_that_is_away_is_said_to_be(client: Client, gateway: MemoryGateway) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    gateway.dead = True
    path = f"/api/trades/{trade['id']}/payment"
    refused = await buyer.call("POST", path, {"method": "CARD"})
    assert problem(refused) == (502, "gateway_unavailable")
    assert refused.headers["retry-after"] == "1"


async def test_a_bug_tells_the_client_nothing(client: Client, market: Market) -> None:
    await market.db.execute("ALTER TABLE products RENAME TO secrets")
    refused = await client.call("GET", "/api/products")
    assert problem(refused) == (500, "internal_error")
    assert "products" not in refused.text


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"imp_uid": "imp_1", "merchant_uid": "%s", "status": "paid"}'),
        ("application/x-www-form-urlencoded", "imp_uid=imp_1&merchant_uid=%s&status=paid"),
        ("application/json", '{"merchant_uid": "%s", "status": {"deep": [1]}, "more": null}'),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
async def test_webhooks_about_our_payments_are_stored_once_and_all_are_answered(
    client: Client, market: Market, acts: Acts, content_type: str, body: str, ours: bool
) -> None:
    payment = await acts.payment(await acts.trade())
    order = payment.id if ours else "0" * 32
    for _ in range(2):
        answer = await client.http.post(
            "/webhooks/portone/v1", content=body % order, headers={"Content-Type": content_type}
        )
        assert (answer.status_code, answer.json()) == (200, {"stored": True})
    assert await market.db.fetch_value("SELECT count(*) FROM webhooks") == ours


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid_request")),
        (b"{", (400, "invalid_request")),
        (b"[1]", (400, "invalid_request")),
        (b"{}", (400, "invalid_request")),
        (b"[" * 9999, (400, "invalid_request")),
        (b'{"a":' * 9999 + b"1" + b"}" * 9999, (400, "invalid_request")),
        (b'{"imp_uid": "' + b"x" * 70_000 + b'"}', (413, "body_too_large")),
    ],
)
async def test_nonsense_sent_as_a_webhook_is_harmless(
    client: Client, market: Market, body: bytes, expected: tuple[int, str]
) -> None:
    answer = await client.http.post(
        "/webhooks/portone/v1", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == expected
    assert await market.db.fetch_value("SELECT count(*) FROM webhooks") == 0
