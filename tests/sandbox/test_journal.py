"""The journal says what was called, and why it was refused."""

import httpx
import pytest

from .client import Client, Json


def entries(client: Client, query: str = "") -> list[Json]:
    """The journal's entries, newest first."""
    items: list[Json] = client.control("GET", f"journal{query}")["items"]
    return items


def test_a_hidden_test_payment_and_an_unknown_id_are_told_apart(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")
    hidden, unknown = (client.v1("GET", f"/payments/{uid}") for uid in (imp_uid, "imp_0"))
    assert hidden.content == unknown.content
    second, first = entries(client, "?status=404")
    assert "include_sandbox=true is missing" in first["reason"]
    assert "include_sandbox" not in second["reason"]
    assert first["path"] == f"/v1/payments/{imp_uid}"
    client.set(v1_list_hides_test=True)
    client.v1("GET", "/payments/find/order-1")
    assert "v1_list_hides_test" in entries(client)[0]["reason"]


def test_an_id_that_is_nearly_right_is_explained(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")
    client.v2_paid("order-2")
    (tx_id,) = (
        item["tx_id"]
        for item in client.control("GET", "payments")["items"]
        if item["order_id"] == "order-2"
    )
    order = {"totalAmount": 1000, "currency": "KRW"}
    client.v2_ok("POST", "/payments/order-3/pre-register", order)
    cancel = {"reason": "r"}
    calls = (
        (client.v1("GET", "/payments/order-1"), f"its newest attempt is {imp_uid}"),
        (client.v1("GET", f"/payments/find/{imp_uid}"), "its order is order-1"),
        (client.v1("GET", f"/payments/{tx_id}"), "a payment of V2 has this id"),
        (client.v1("GET", "/payments/findAll/order-2"), "which V1 does not show"),
        (client.v1("POST", "/payments/cancel", {"imp_uid": "order-1"}), "an order's id"),
        (client.v1("POST", "/payments/cancel", {"merchant_uid": imp_uid}), "an attempt's id"),
        (client.v2("GET", f"/payments/{tx_id}"), "its order is order-2"),
        (client.v2("POST", f"/payments/{tx_id}/cancel", cancel), "its order is order-2"),
        (client.v2("GET", "/payments/order-3"), "no window was opened yet"),
    )
    said = [entry["reason"] for entry in reversed(entries(client, "?refused=true"))]
    assert len(said) == len(calls)
    for (response, words), reason in zip(calls, said, strict=True):
        assert words in reason
        assert words not in response.text
    client.v2("GET", "/payments/order-4")
    assert ";" not in entries(client)[0]["reason"]


def test_a_call_is_kept_with_both_its_sides(client: Client) -> None:
    client.v2_paid("order-1")
    body = {"reason": "변심", "amount": 5000}
    key = '"0123456789abcdef"'
    client.v2("POST", "/payments/order-1/cancel", body, headers={"Idempotency-Key": key})
    (entry, *_) = entries(client)
    assert (entry["method"], entry["path"]) == ("POST", "/v2/payments/order-1/cancel")
    assert (entry["version"], entry["status"]) == ("V2", 409)
    assert entry["reason"].startswith("CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
    assert "변심" in entry["request"]["body"]
    assert entry["request"]["headers"]["idempotency-key"] == key
    assert "CANCEL_AMOUNT" in entry["response"]["body"]
    assert entry["seconds"] >= 0


def test_what_was_granted_has_no_reason(client: Client) -> None:
    client.v1_paid("order-1")
    assert {entry["reason"] for entry in entries(client)} == {None}
    client.v1("POST", "/payments/cancel", {"merchant_uid": "none"})
    (refused,) = entries(client, "?refused=true")
    assert (refused["status"], refused["reason"]) == (
        200,
        "code 1: 취소할 결제건이 존재하지 않습니다.",
    )


@pytest.mark.parametrize(
    "fault", ["timeout_before", "timeout_after", "error_500", "refuse", "slow"]
)
def test_a_fault_is_named(client: Client, fault: str) -> None:
    client.v1_paid("order-1")
    client.fault(fault, seconds=0)
    try:
        client.v1("GET", "/payments/find/order-1")
    except httpx.TransportError:
        status = None
    else:
        status = {"error_500": 500}.get(fault, 200)
    (entry, *_) = entries(client)
    assert (entry["status"], fault in entry["reason"]) == (status, True)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "no token"),
        ({"Authorization": "0" * 40}, "not the current one"),
        ({"Authorization": "expired"}, "not the current one"),
    ],
)
def test_a_refused_v1_token_is_explained(
    client: Client, headers: dict[str, str], reason: str
) -> None:
    assert client.token
    client.http.get("/v1/payments/find/order-1", headers=headers)
    assert reason in entries(client)[0]["reason"]


def test_an_expired_token_is_explained(client: Client) -> None:
    headers = {"Authorization": client.token}
    client.control("POST", "clock", {"advance": 3600})
    client.http.get("/v1/payments/find/order-1", headers=headers)
    assert "expired at" in entries(client)[0]["reason"]


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (None, "no credential"),
        ("PortOne pg-secret", "API secret is not"),
        ("Bearer gone", "unknown or has expired"),
        ("Basic abc", "neither"),
    ],
)
def test_a_refused_v2_credential_is_explained(
    client: Client, credential: str | None, reason: str
) -> None:
    headers = {"Authorization": credential} if credential else {}
    client.http.get("/v2/payments/order-1", headers=headers)
    assert reason in entries(client)[0]["reason"]


def test_keys_and_tokens_are_not_kept(client: Client) -> None:
    assert client.token
    secret = client.keys["v2"]["api_secret"]
    client.v2_ok("POST", "/login/api-secret", {"apiSecret": secret})
    client.v2("GET", "/payments/none")
    text = client.http.get("/control/journal").text
    for word in (client.token, secret, client.keys["v1"]["imp_secret"]):
        assert word not in text


def test_the_journal_is_searched_by_order_attempt_status_and_count(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")
    client.v1_paid("order-2")
    client.v1("GET", f"/payments/{imp_uid}")
    client.v1("GET", "/payments/find/order-2")
    about = entries(client, "?payment_id=order-1")
    assert [entry["path"] for entry in about] == [
        f"/v1/payments/{imp_uid}",
        "/v1/payments/prepare",
    ]
    assert entries(client, f"?payment_id={imp_uid}") == about
    assert len(entries(client, "?limit=1")) == 1
    assert {entry["status"] for entry in entries(client, "?status=404")} == {404}
    assert entries(client, "?payment_id=none") == []
    for query in ("?limit=0", "?limit=x", "?status=x"):
        client.control("GET", f"journal{query}", status=400)
    client.control("POST", "reset", status=204)
    assert entries(client) == []


def test_the_journal_is_bounded(client: Client) -> None:
    for _ in range(1010):
        client.http.get("/v2/payments/x")
    assert len(entries(client, "?limit=5000")) == 1000
    client.v1("POST", "/payments/cancel", {"merchant_uid": "none", "reason": "x" * 50_000})
    assert len(entries(client)[0]["request"]["body"]) < 11_000


def test_a_window_that_does_not_open_is_in_the_journal(client: Client) -> None:
    call = {"code": "imp99999999", "params": {"merchant_uid": "order-1", "amount": 1000}}
    client.http.post("/checkout/v1", json=call)
    (entry,) = entries(client)
    assert (entry["path"], entry["version"]) == ("/checkout/v1", "V1")
    assert "imp00000000" in entry["reason"]
