"""Every listed operation answers every documented status as the official documents say."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .client import Client, Json
from .contract import Contract, Document, Reached, folder
from .test_v2 import CARD, VIRTUAL_ACCOUNT, instant

# What the sandbox stands in for; the documents hold far more (billing keys, identity, payouts).
LISTED = {
    "V1": (
        ("POST", "/users/getToken"),
        ("POST", "/payments/prepare"),
        ("PUT", "/payments/prepare"),
        ("GET", "/payments/prepare/{merchant_uid}"),
        ("GET", "/payments/{imp_uid}"),
        ("GET", "/payments"),
        ("GET", "/payments/status/{payment_status}"),
        ("GET", "/payments/find/{merchant_uid}/{payment_status}"),
        ("GET", "/payments/findAll/{merchant_uid}/{payment_status}"),
        ("GET", "/payments/{imp_uid}/balance"),
        ("POST", "/payments/cancel"),
        ("POST", "/vbanks"),
        ("PUT", "/vbanks/{imp_uid}"),
        ("DELETE", "/vbanks/{imp_uid}"),
        ("GET", "/banks"),
        ("GET", "/banks/{bank_standard_code}"),
        ("GET", "/cards"),
        ("GET", "/cards/{card_standard_code}"),
    ),
    "V2": (
        ("POST", "/login/api-secret"),
        ("POST", "/token/refresh"),
        ("POST", "/payments/{paymentId}/pre-register"),
        ("GET", "/payments/{paymentId}"),
        ("GET", "/payments"),
        ("GET", "/payments-by-cursor"),
        ("GET", "/payments/{paymentId}/transactions"),
        ("POST", "/payments/{paymentId}/cancel"),
        ("POST", "/payments/{paymentId}/instant"),
        ("POST", "/payments/{paymentId}/confirm"),
        ("POST", "/payments/{paymentId}/virtual-account/close"),
        ("POST", "/payments/{paymentId}/resend-webhook"),
        ("GET", "/banks"),
    ),
}
# A list of all codes has no code that could be unknown, but the documents give it a 404.
NEVER = {("V1", "GET", "/banks", 404), ("V1", "GET", "/cards", 404)}
PARAMETERS = {
    "{paymentId}": "order-1",
    "{imp_uid}": "imp_0",
    "{merchant_uid}": "none",
    "{payment_status}": "paid",
    "{bank_standard_code}": "088",
    "{card_standard_code}": "366",
}


@pytest.fixture
def contract(client: Client) -> Contract:
    """The documents, watching this test's answers alone."""
    folder()
    contract = Contract()
    client.http.event_hooks = {"response": [contract.check]}
    return contract


def documented(contract: Contract) -> set[Reached]:
    """Every listed operation with every status that the documents give it."""
    every = {
        (version, method, path, int(status))
        for version, operations in LISTED.items()
        for method, path in operations
        for status in contract.documents[version].raw["paths"][path][method.lower()]["responses"]
    }
    return every - NEVER


def test_every_listed_operation_answers_every_documented_status(
    client: Client, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    for walk in (walk_v1, walk_v1_accounts, walk_v2, walk_v2_accounts, walk_v2_refusals):
        client.control("POST", "reset", status=204)
        client._token = None
        walk(client)
    wanted = documented(contract)
    reached = wanted & contract.reached
    operations = {key[:3] for key in reached}
    with capsys.disabled():
        print(
            f"\nPortOne contract: {contract.answers} answers checked,"
            f" {len(operations)} of {len({key[:3] for key in wanted})} operations,"
            f" {len(reached)} of {len(wanted)} documented status codes"
        )
    assert sorted(wanted - reached) == []


def call(client: Client, version: str, method: str, path: str, **more: Any) -> httpx.Response:
    """A listed operation without any credential."""
    for name, value in PARAMETERS.items():
        path = path.replace(name, value)
    return client.http.request(method, f"/{version.lower()}{path}", **more)


def walk_v1(client: Client) -> None:
    """Payments of V1."""
    for method, path in LISTED["V1"]:
        assert call(client, "V1", method, path).status_code == 401
    client.v1("PUT", "/payments/prepare", {"merchant_uid": "none", "amount": 1})
    imp_uid = client.v1_paid("order-1")
    client.v1("PUT", "/payments/prepare", {"merchant_uid": "order-1", "amount": 1})
    client.v1("GET", "/payments/prepare/order-1")
    client.v1("GET", "/payments/prepare/none")
    for one in (imp_uid, "imp_0"):
        client.v1("GET", f"/payments/{one}", params={"include_sandbox": "true"})
        client.v1("GET", f"/payments/{one}/balance")
        client.v1("GET", "/payments", params={"imp_uid[]": [one]})
        client.v1("GET", "/payments", params={"imp_uid[]": [one, imp_uid]})
    client.v1("DELETE", f"/payments/{imp_uid}/balance")
    for path in ("/banks", "/banks/088", "/banks/x", "/cards", "/cards/366", "/cards/x"):
        client.v1("GET", path)
    for path in ("order-1", "none", "order-1/paid", "order-1/x"):
        client.v1("GET", f"/payments/find/{path}")
        client.v1("GET", f"/payments/findAll/{path}")
    for word in ("paid", "x"):
        client.v1("GET", f"/payments/status/{word}")
    for _ in range(2):
        client.v1("POST", "/payments/cancel", {"imp_uid": imp_uid})
    client.v1("GET", "/payments/find/order-1")


def walk_v1_accounts(client: Client) -> None:
    """Virtual accounts of V1."""
    account = client.v1_account("order-1")
    client.v1("POST", "/vbanks", {})
    for _ in range(2):
        for method in ("PUT", "DELETE"):
            client.v1(method, f"/vbanks/{account['imp_uid']}")
    client.v1("PUT", "/vbanks/imp_0")
    client.v1("DELETE", "/vbanks/imp_0")


def walk_v2(client: Client) -> None:
    """A V2 payment from pre-registration to the refund."""
    client.set(webhook_url_v2="http://127.0.0.1:9/none")
    secret = {"apiSecret": client.keys["v2"]["api_secret"]}
    pair = client.http.post("/v2/login/api-secret", json=secret).json()
    client.http.post("/v2/token/refresh", json={"refreshToken": pair["refreshToken"]})
    client.v2("POST", "/payments/order-1/pre-register", {"totalAmount": 1000, "currency": "KRW"})
    client.pay("order-1", outcome="failed")
    token = client.pay("order-1", channel_key="channel-key-sandbox-v2-manual")["paymentToken"]
    client.v2("GET", "/payments/order-1")
    client.v2("POST", "/payments/order-1/confirm", {"paymentToken": token})
    client.settle()
    client.v2("POST", "/payments/order-1/resend-webhook", {})
    for body in ({"reason": "변심", "amount": 1}, {"reason": "변심"}):
        client.v2("GET", "/payments")
        client.v2("POST", "/payments/order-1/cancel", body)
        client.v2("GET", "/payments/order-1")
        client.v2("GET", "/payments/order-1/transactions")
        client.v2("GET", "/payments-by-cursor")
    client.v2("GET", "/banks")


def walk_v2_accounts(client: Client) -> None:
    """Instant payments and every method's own form."""
    client.v2("POST", "/payments/order-1/instant", instant(client, CARD))
    client.v2("POST", "/payments/order-2/instant", instant(client, VIRTUAL_ACCOUNT))
    client.v2("POST", "/payments/order-2/virtual-account/close")
    for method in ("VIRTUAL_ACCOUNT", "TRANSFER", "MOBILE", "EASY_PAY", "GIFT_CERTIFICATE"):
        for outcome in ("abandoned", "paid"):
            client.v2_paid(f"order-{method}", method=method, outcome=outcome)
            client.v2("GET", f"/payments/order-{method}")
    client.v2("GET", "/payments")


def walk_v2_refusals(client: Client) -> None:
    """Every status that refuses, by what really causes it where that is possible."""
    bodies: dict[str, Json] = {
        "/cancel": {"reason": "변심"},
        "/confirm": {"paymentToken": "x"},
        "/instant": instant(client, CARD),
    }
    for method, path in LISTED["V2"]:
        body = next((b for end, b in bodies.items() if path.endswith(end)), {})
        for provoke in (
            _without_credential,
            _malformed,
            _foreign_store,
            _unknown,
            _twice,
            _by_fault,
        ):
            provoke(client, method, path, body)


def _path(path: str, payment_id: str = "order-1") -> str:
    return path.replace("{paymentId}", payment_id)


def _without_credential(client: Client, method: str, path: str, body: Json) -> None:
    keys = {"apiSecret": "x", "refreshToken": "x"}
    call(client, "V2", method, path, json=body | keys)


def _malformed(client: Client, method: str, path: str, body: Json) -> None:
    client.v2(method, _path(path, "x" * 300), body)
    client.v2(method, _path(path), content="{", params={"requestBody": "{"})


def _foreign_store(client: Client, method: str, path: str, body: Json) -> None:
    foreign = {"storeId": "another"}
    client.v2(method, _path(path), {**body, **foreign, "filter": foreign}, params=foreign)


def _unknown(client: Client, method: str, path: str, body: Json) -> None:
    client.v2(method, _path(path, "none"), body | {"channelKey": "none"})


def _twice(client: Client, method: str, path: str, body: Json) -> None:
    if not client.control("GET", "payments", None)["items"]:
        client.v2_paid("order-1")
    if path.endswith("/cancel"):
        client.v2(method, _path(path), body | {"amount": 10_000})
    elif method == "POST":
        client.v2(method, _path(path), body)


def _by_fault(client: Client, method: str, path: str, body: Json) -> None:
    if path.endswith(("/cancel", "/instant", "/confirm", "/close")):
        client.fault("refuse", version="V2", path=_path(path))
        client.v2(method, _path(path), body)


def test_every_documented_error_type_has_its_status(
    client: Client, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    document, checked = contract.documents["V2"], 0
    for method, path in LISTED["V2"]:
        for status, kind in _documented_errors(document, method, path):
            rule = {"fault": "refuse", "error_type": kind, "match": {"version": "V2"}}
            client.control("POST", "faults", rule, 201)
            answer = client.v2(method, _path(path), {})
            assert (answer.status_code, answer.json()["type"]) == (status, kind), path
            checked += 1
    with capsys.disabled():
        print(f"\nPortOne contract: {checked} error types of V2, each with its documented status")
    assert checked > 50


def _documented_errors(document: Document, method: str, path: str) -> Iterator[tuple[int, str]]:
    """The error types that each status's description names."""
    responses = document.raw["paths"][path][method.lower()]["responses"]
    schemas = document.raw["components"]["schemas"]
    for status, answer in responses.items():
        union = schemas[answer["content"]["application/json"]["schema"]["$ref"].split("/")[-1]]
        for kind, reference in union.get("discriminator", {}).get("mapping", {}).items():
            if status != "200" and f"`{reference.split('/')[-1]}`" in answer["description"]:
                yield int(status), kind
