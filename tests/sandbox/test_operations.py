"""Every operation that PortOne documents is played, or refused by name."""

import re

import pytest

from portone_sandbox.core.operations import Operations
from portone_sandbox.v1.operations import OPERATIONS as V1
from portone_sandbox.v2.operations import OPERATIONS as V2

from .client import Client
from .contract import Document
from .test_contract import LISTED
from .test_journal import entries

PLAYED_V1 = {
    "POST /users/getToken",
    "POST /payments/prepare",
    "PUT /payments/prepare",
    "GET /payments/prepare/{merchant_uid}",
    "POST /payments/cancel",
    "GET /payments/{imp_uid}",
    "GET /payments/{imp_uid}/balance",
    "GET /payments",
    "GET /payments/find/{merchant_uid}/{payment_status}",
    "GET /payments/findAll/{merchant_uid}/{payment_status}",
    "GET /payments/status/{payment_status}",
    "POST /vbanks",
    "PUT /vbanks/{imp_uid}",
    "DELETE /vbanks/{imp_uid}",
    "GET /banks",
    "GET /banks/{bank_standard_code}",
    "GET /cards",
    "GET /cards/{card_standard_code}",
}
PLAYED_V2 = {
    "POST /login/api-secret",
    "POST /token/refresh",
    "GET /banks",
    "GET /payments",
    "GET /payments-by-cursor",
    "GET /payments/{paymentId}",
    "GET /payments/{paymentId}/transactions",
    "POST /payments/{paymentId}/pre-register",
    "POST /payments/{paymentId}/cancel",
    "POST /payments/{paymentId}/instant",
    "POST /payments/{paymentId}/confirm",
    "POST /payments/{paymentId}/virtual-account/close",
    "POST /payments/{paymentId}/resend-webhook",
}
BOTH = [("V1", V1, PLAYED_V1), ("V2", V2, PLAYED_V2)]


@pytest.mark.parametrize(("version", "operations", "played"), BOTH)
def test_what_is_not_played_is_refused_by_name(
    client: Client, version: str, operations: Operations, played: set[str]
) -> None:
    call = client.v1 if version == "V1" else client.v2
    refused = set()
    for operation in operations.all():
        method, template = operation.split(" ", 1)
        path = re.sub(r"\{[^}]+\}", "paid", template)
        answer = call(method, path, {} if method != "GET" else None)
        if answer.status_code == 501:
            assert answer.json()["message"] == f"{operation} is not played by the sandbox"
            refused.add(operation)
        else:
            assert operation in played, answer.text
    assert refused == set(operations.all()) - played


def test_the_list_of_operations_says_which_are_played(client: Client) -> None:
    items = client.control("GET", "operations")["items"]
    for version, operations, played in BOTH:
        said = {
            f"{item['method']} {item['path']}": item["played"]
            for item in items
            if item["version"] == version
        }
        assert said == {name: name in played for name in operations.all()}


@pytest.mark.parametrize(("version", "played"), [("V1", PLAYED_V1), ("V2", PLAYED_V2)])
def test_what_is_played_is_held_against_the_documents(version: str, played: set[str]) -> None:
    assert {f"{method} {path}" for method, path in LISTED[version]} == played


def test_the_page_counts_the_operations(client: Client) -> None:
    page = client.http.get("/?lang=en").text
    assert f"V1: played {len(PLAYED_V1)} / {len(V1.all())}" in page
    assert f"V2: played {len(PLAYED_V2)} / {len(V2.all())}" in page
    assert "POST /subscribe/payments/again" in page


def test_the_two_of_the_list_are_named(client: Client) -> None:
    again = client.v1("POST", "/subscribe/payments/again", {})
    assert again.json() == {
        "code": -1,
        "message": "POST /subscribe/payments/again is not played by the sandbox",
        "response": None,
    }
    key = client.v2("GET", "/billing-keys/x")
    assert key.json()["message"] == "GET /billing-keys/{billingKey} is not played by the sandbox"
    assert "not played" in entries(client)[0]["reason"]
    # What PortOne does not have either is not found.
    assert client.v1("GET", "/nowhere").status_code == 404
    assert client.v2("GET", "/nowhere").status_code == 404


@pytest.mark.parametrize(("version", "operations", "played"), BOTH)
def test_the_lists_are_those_of_the_official_documents(
    version: str, operations: Operations, played: set[str]
) -> None:
    paths = Document.load(version).raw["paths"]
    verbs = ("get", "post", "put", "patch", "delete")
    documented = {f"{v.upper()} {path}" for path in paths for v in paths[path] if v in verbs}
    assert set(operations.all()) == documented
    assert played <= documented
