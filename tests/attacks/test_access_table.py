"""Every route × everybody: what each may do, and that a refusal changes nothing (R1, R5, R11, P8).

A route that is not in the table fails the test, so none can be added without an answer to "who
may?". What the numbers mean for one trade's parties in each state is in tests/api/test_access.py.
"""

from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest

from market.app import Market, web_app
from tests.attacks.sales import Sale, filled, rows
from tests.support.gateway import MemoryGateway
from tests.support.web import Client

ROLES = ("nobody", "stranger", "buyer", "seller", "operator")
MEMBERS_ONLY = (401, 200, 200, 200, 200)
ANYBODY = (200, 200, 200, 200, 200)

# The status each role gets, in the order of ROLES, of a sale that is paid and not yet approved.
TABLE: dict[str, tuple[int, ...]] = {
    "POST /api/auth/signup": (201, 201, 201, 201, 201),
    "POST /api/auth/login": (401, 401, 401, 401, 401),  # nobody here has a password
    "POST /api/auth/refresh": (401, 200, 200, 200, 200),
    "POST /api/auth/logout": (401, 204, 204, 204, 204),
    # Nobody here began to come by another company, and none is configured.
    "GET /api/auth/social/{provider}": (404,) * 5,
    "GET /api/auth/social/{provider}/callback": (400,) * 5,
    "GET /api/auth/social/exchange": (400,) * 5,
    "POST /api/auth/social/exchange": (400,) * 5,
    "GET /api/me": MEMBERS_ONLY,
    "GET /api/me/purchases": MEMBERS_ONLY,
    "GET /api/me/sales": MEMBERS_ONLY,
    "GET /api/me/reservations": MEMBERS_ONLY,
    "GET /api/products": ANYBODY,
    "POST /api/products": (401, 201, 201, 201, 201),
    "GET /api/products/{product_id}": ANYBODY,
    "PATCH /api/products/{product_id}": (401, 403, 403, 200, 403),
    "GET /api/products/{product_id}/trades": MEMBERS_ONLY,
    "POST /api/products/{product_id}/trades": (401, 201, 409, 403, 201),
    "GET /api/trades/{trade_id}": (401, 404, 200, 200, 200),
    "POST /api/trades/{trade_id}/approve": (401, 404, 403, 200, 404),
    "POST /api/trades/{trade_id}/confirm": (401, 404, 409, 403, 404),
    "POST /api/trades/{trade_id}/cancel": (401, 404, 200, 200, 200),
    "POST /api/trades/{trade_id}/payment": (401, 404, 409, 403, 404),
    "GET /api/payments/{payment_id}": (401, 404, 200, 200, 200),
    "POST /api/payments/{payment_id}/complete": (401, 404, 200, 404, 404),
    "POST /api/payments/{payment_id}/cancel": (401, 404, 200, 200, 200),
    "POST /webhooks/portone/v1": ANYBODY,  # a hint, which is not believed
    "POST /webhooks/portone/v2": (401, 401, 401, 401, 401),  # not signed
    "GET /health/live": ANYBODY,
    "GET /health/ready": ANYBODY,
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/auth/signup": {
        "email": "{new}@example.com",
        "password": "a password",
        "nickname": "{new}",
    },
    "POST /api/auth/login": {"email": "someone@example.com", "password": "a password"},
    "POST /api/auth/refresh": {"refresh_token": "{refresh}"},
    "POST /api/auth/logout": {"refresh_token": "{refresh}"},
    "POST /api/auth/social/exchange": {"code": "made up"},
    "POST /api/products": {"name": "table", "price": 5, "quantity": 1},
    "PATCH /api/products/{product_id}": {"name": "table"},
    "POST /api/trades/{trade_id}/cancel": {"reason": "mischief"},
    "POST /api/trades/{trade_id}/payment": {"method": "CARD"},
    "POST /api/payments/{payment_id}/complete": {},
    "POST /api/payments/{payment_id}/cancel": {"reason": "mischief", "amount": 400},
    "POST /webhooks/portone/v1": {"imp_uid": "imp_1", "merchant_uid": "{payment_id}"},
    "POST /webhooks/portone/v2": {"type": "Transaction.Paid"},
}


@cache
def document() -> Any:
    """The OpenAPI document."""
    return web_app(nullcontext).openapi_schema.to_schema()  # type: ignore[arg-type] # not run


def routes() -> set[str]:
    return {
        f"{method.upper()} {path}" for path, item in document()["paths"].items() for method in item
    }


def test_no_route_is_without_an_answer_to_who_may() -> None:
    assert routes() == TABLE.keys()
    assert {len(row) for row in TABLE.values()} == {len(ROLES)}


@pytest.mark.parametrize("route", TABLE)
async def test_everybody_may_what_the_table_says_and_a_refusal_changes_nothing(
    client: Client, market: Market, gateway: MemoryGateway, route: str
) -> None:
    method, path = route.split(" ")
    sale = await Sale.made(market, gateway, client.http)
    for role, status in zip(ROLES, TABLE[route], strict=True):
        before = await rows(market)
        who = sale.of(role)
        body = filled(BODIES.get(route), sale, who)
        answer = await who.call(method, path.format(**sale.ids), body)
        assert answer.status_code == status, f"{role}: {answer.text}"
        if answer.is_error:
            assert (await rows(market) == before) is True, role
        else:
            sale = await Sale.made(market, gateway, client.http)


@pytest.mark.parametrize("list_", ["purchases", "sales", "reservations"])
async def test_lists_hold_nothing_of_anybody_elses(
    client: Client, market: Market, gateway: MemoryGateway, list_: str
) -> None:
    sale = await Sale.made(market, gateway, client.http)
    shown = await sale.stranger.get(f"/api/me/{list_}")
    assert shown == {"items": [], "next_cursor": None}
    # A cursor is an id like any other: somebody else's shows nothing of theirs either.
    stolen = f"/api/me/{list_}?cursor={'f' * 32}&limit=100&member_id={sale.buyer.id}"
    assert (await sale.stranger.get(stolen))["items"] == []


async def test_what_only_the_buyer_may_see_is_shown_to_nobody_else(
    client: Client, market: Market, gateway: MemoryGateway
) -> None:
    sale = await Sale.made(market, gateway, client.http)
    buyer, seller = sale.buyer, sale.seller
    product = await seller.product()
    trade = await buyer.buy(product["id"])
    means = {"method": "VIRTUAL_ACCOUNT", "bank": "KAKAO"}
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", means)
    number = payment["virtual_account"]["number"]
    for path in (
        f"/api/payments/{payment['id']}",
        f"/api/trades/{trade['id']}",
        f"/api/products/{product['id']}",
        "/api/me/sales",
    ):
        answer = await seller.call("GET", path)
        assert answer.is_success
        assert number not in answer.text
        assert buyer.email not in answer.text
