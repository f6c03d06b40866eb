"""Fields that a body has no right to: whoever sends them gets what they would have got without."""

from collections import Counter
from typing import Any

import pytest

from market.app import Market
from tests.attacks.sales import Sale, filled, rows
from tests.attacks.test_access_table import BODIES, ROLES, TABLE, document
from tests.support.gateway import MemoryGateway
from tests.support.web import Client

EXTRA: dict[str, Any] = {
    **dict.fromkeys(("id", "seller_id", "buyer_id", "member_id", "payer_id"), "0" * 32),
    **dict.fromkeys(("product_id", "trade_id", "payment_id", "session_id", "sid"), "0" * 32),
    "seller": {"id": "0" * 32, "nickname": "thief"},
    "status": "COMPLETED",
    "role": "operator",
    **dict.fromkeys(("operator", "is_operator", "admin", "is_admin", "refunding"), True),
    **dict.fromkeys(("version", "taken", "confirmed", "remaining", "captured", "tries"), 99),
    **dict.fromkeys(("price", "amount", "fee", "refunded", "cancelled", "quantity"), 1),
    **dict.fromkeys(("cancelled_amount", "captured_amount", "refunded_amount", "balance"), 1),
    "currency": "USD",
    "gateway": "V2",
    "reference": "imp_of_another",
    "title": "another",
    "by": "MARKET",
    "party": "MARKET",
    "password_hash": "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x",
    **dict.fromkeys(("created_at", "paid_at", "hold_expires_at"), "2020-01-01T00:00:00Z"),
    "refund_account_id": 1,
    "__proto__": {"operator": True},
    "__class__": "Operator",
}


def needs_body(route: str) -> bool:
    """Whether there is anybody to send one. Webhooks are hints, whatever they hold."""
    return not route.startswith("GET") and "webhooks" not in route and min(TABLE[route]) < 400


def own_fields(route: str) -> set[str]:
    """The fields that a route's body has."""
    method, path = route.split(" ")
    schema = document()["paths"][path][method.lower()].get("requestBody")
    if schema is None:
        return set()
    found: set[str] = set()
    waiting = [schema["content"]["application/json"]["schema"]]
    while waiting:
        part = waiting.pop()
        waiting += part.get("oneOf", []) + part.get("anyOf", [])
        if "$ref" in part:
            waiting.append(document()["components"]["schemas"][part["$ref"].rpartition("/")[2]])
        found |= part.get("properties", {}).keys()
    return found


@pytest.mark.parametrize("route", [route for route in TABLE if needs_body(route)])
async def test_fields_that_a_body_does_not_have_change_nothing(
    client: Client, market: Market, gateway: MemoryGateway, route: str
) -> None:
    method, path = route.split(" ")
    template = BODIES.get(route, {})
    extra = {name: value for name, value in EXTRA.items() if name not in own_fields(route)}
    if template:
        assert own_fields(route) >= template.keys()
    # Who is let in at all: there alone a field could do harm.
    role = next(role for role, status in zip(ROLES, TABLE[route], strict=True) if status < 300)
    start, seen = await rows(market), []
    for more in ({}, extra):
        sale = await Sale.made(market, gateway, client.http)
        who = sale.of(role)
        body = more | filled(template, sale, who)
        answer = await who.call(method, path.format(**sale.ids), body)
        assert answer.is_success, answer.text
        now = await rows(market)
        seen.append(now - start)
        start = now
    assert (seen[0] - seen[1], seen[1] - seen[0]) == (Counter(), Counter())


async def test_who_sends_an_account_where_none_belongs_leaves_none_behind(
    client: Client, market: Market, gateway: MemoryGateway
) -> None:
    """A card's money goes back to the card, whatever account somebody names."""
    sale = await Sale.made(market, gateway, client.http)
    account = {"bank": "KAKAO", "number": "333301234567", "holder": "a thief"}
    body = {"reason": "mine now", "refund_account": account}
    answer = await sale.seller.call("POST", f"/api/trades/{sale.ids['trade_id']}/cancel", body)
    assert answer.status_code == 200
    assert gateway.sent_to == [None]


@pytest.mark.parametrize("field", ["price", "quantity"])
async def test_of_a_field_named_twice_one_reading_counts_for_all(
    client: Client, market: Market, gateway: MemoryGateway, field: str
) -> None:
    """The body is read once, by one parser: what was checked is what is kept."""
    sale = await Sale.made(market, gateway, client.http)
    text = '{"name": "x", "price": 7, "quantity": 7, "FIELD": 8}'.replace("FIELD", field)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {sale.seller.token}"}
    answer = await client.http.post("/api/products", content=text, headers=headers)
    made = answer.json()
    assert (answer.status_code, made[field]) == (201, 8)
    assert (await client.get(f"/api/products/{made['id']}"))[field] == 8
    bad = text.replace("8}", "-8}")
    answer = await client.http.post("/api/products", content=bad, headers=headers)
    assert answer.status_code == 400
