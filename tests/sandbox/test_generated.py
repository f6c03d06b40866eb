"""Requests nobody would write: none of them may make the sandbox fail."""

import math
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .client import Client
from .test_v2 import CARD

KNOWN_IDS = ("order-1", "order-2", "order-3", "imp_0")
ODD = st.text("./%2F\x00é", max_size=6)
TEXTS = st.one_of(st.sampled_from(KNOWN_IDS), st.text(max_size=20), ODD)
IDS = st.one_of(st.sampled_from(KNOWN_IDS), st.sampled_from(KNOWN_IDS), TEXTS)
MOMENTS = ("2030-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z")
# Amounts at and beyond every edge, and JSON that is no amount at all.
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-10, 2000),
        st.integers(),
        st.floats(),
        st.sampled_from(["088", "SHINHAN", "KRW", "USD", "2026-13-45", "1e400", "NaN", "0.001"]),
        st.sampled_from(MOMENTS),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
OFTEN = st.sampled_from([True, True, True, True, False])
FIELDS = {
    "POST /v1/users/getToken": ("imp_key", "imp_secret"),
    "POST /v1/payments/prepare": ("merchant_uid", "amount", "currency"),
    "GET /v1/payments/prepare/{id}": (),
    "GET /v1/payments/{id}": ("include_sandbox",),
    "GET /v1/payments/{id}/balance": (),
    "GET /v1/payments": ("imp_uid[]", "merchant_uid[]"),
    "GET /v1/payments/find/{id}": ("sorting",),
    "GET /v1/payments/findAll/{id}/{id}": ("page", "limit", "sorting"),
    "GET /v1/payments/status/paid": ("page", "limit", "from", "to", "sorting"),
    "POST /v1/payments/cancel": (
        *("imp_uid", "merchant_uid", "amount", "checksum", "tax_free", "vat_amount", "reason"),
        *("refund_bank", "refund_account", "refund_holder", "enable_webhook", "extra"),
    ),
    "POST /v1/vbanks": (
        *("channel_key", "merchant_uid", "amount", "vbank_code", "vbank_due", "vbank_num"),
        *("vbank_holder", "notice_url", "name", "tax_free", "fixed_unlimited_vbank"),
    ),
    "PUT /v1/vbanks/{id}": ("amount", "vbank_due"),
    "POST /v2/login/api-secret": ("apiSecret",),
    "POST /v2/token/refresh": ("refreshToken",),
    "GET /v2/banks": ("requestBody",),
    "GET /v2/payments": ("requestBody", "page", "filter"),
    "GET /v2/payments-by-cursor": ("requestBody", "from", "until", "cursor", "size"),
    "GET /v2/payments/{id}": ("storeId",),
    "GET /v2/payments/{id}/transactions": ("storeId",),
    "POST /v2/payments/{id}/pre-register": ("totalAmount", "taxFreeAmount", "currency", "storeId"),
    "POST /v2/payments/{id}/cancel": (
        *("reason", "amount", "taxFreeAmount", "vatAmount", "currentCancellableAmount"),
        *("refundAccount", "skipWebhook", "storeId"),
    ),
    "POST /v2/payments/{id}/instant": ("channelKey", "method", "orderName", "amount", "currency"),
    "POST /v2/payments/{id}/confirm": ("paymentToken", "totalAmount", "currency", "isTest"),
    "POST /v2/payments/{id}/virtual-account/close": ("storeId",),
    "POST /v2/payments/{id}/resend-webhook": ("webhookId",),
    "POST /control/pay": ("payment_id", "amount", "currency", "outcome", "card", "bank"),
    "POST /control/deposit": ("account_number", "amount", "depositor"),
    "POST /control/cancel": ("payment_id", "amount", "reason"),
    "POST /control/cancellations": ("payment_id", "outcome", "cancellation_id"),
    "POST /control/refunds": ("payment_id", "status"),
    "GET /control/payments": ("payment_id",),
    "GET /control/webhooks": ("payment_id",),
    "POST /control/clock": ("advance_seconds", "advance", "at", "freeze"),
}
# What makes a body likely to be taken, so that generated values reach past the first check.
LIKELY: dict[str, Any] = {
    "merchant_uid": "order-1",
    "payment_id": "order-1",
    "amount": 100,
    "reason": "x",
    "orderName": "x",
    "currency": "KRW",
    "channelKey": "channel-key-sandbox-v2-test",
    "channel_key": "channel-key-sandbox-v1-test",
    "vbank_code": "088",
    "vbank_due": 4_000_000_000,
    "totalAmount": 100,
    "method": CARD,
    "apiSecret": "sandbox-v2-api-secret-not-real",
    "imp_key": "imp_apikey_sandbox",
    "imp_secret": "sandbox-v1-secret-not-real",
}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """One request to a known path with half-likely fields."""
    operation = draw(st.sampled_from(sorted(FIELDS)))
    names = FIELDS[operation]
    method, path = operation.split()
    body = {name: LIKELY[name] for name in names if name in LIKELY and draw(OFTEN)}
    body |= draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=2)) if names else {}
    while "{id}" in path:
        path = path.replace("{id}", quote(draw(IDS), safe="") or "x", 1)
    if not draw(OFTEN):
        method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    how = "json" if draw(OFTEN) else draw(st.sampled_from(["form", "query", "raw"]))
    request: dict[str, Any] = {"method": method, "url": path}
    if how == "json":
        return request | {"json": _encodable(body)}
    if how == "form":
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return request | {"content": urlencode(body, errors="replace"), "headers": kind}
    if how == "query":
        return request | {"params": {name: str(value) for name, value in body.items()}}
    return request | {"content": draw(st.binary(max_size=40))}


def _encodable(value: Any) -> Any:
    """JSON has no NaN, and its text no half characters."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return value


def _is_meant(answer: httpx.Response) -> bool:
    """A company's refusal, or an operation that is not played."""
    played = answer.status_code != 501 or "is not played by" not in answer.json()["message"]
    return not played or answer.json().get("type") == "PG_PROVIDER"


def test_no_request_makes_the_sandbox_fail(client: Client) -> None:
    client.v1_paid("order-1")
    client.v2_paid("order-2")
    client.v1_account("order-3")

    @settings(
        max_examples=500,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def send(request: dict[str, Any]) -> None:
        v1 = request["url"].startswith("/v1")
        secret = f"PortOne {client.keys['v2']['api_secret']}"
        headers = {"Authorization": client.token if v1 else secret, **request.pop("headers", {})}
        answer = client.http.request(**request, headers=headers)
        assert answer.status_code < 500 or _is_meant(answer), answer.text
        if answer.status_code == 401:
            client._token = None  # a generated request may have moved the clock

    send()
    for payment in client.control("GET", "payments")["items"]:
        assert 0 <= payment["cancelled"] <= payment["amount"]
