"""V1 as a merchant's server and a buyer meet it."""

import json

import pytest

from .client import Client
from .process import Receiver


def test_a_token_is_shared_stretched_in_its_last_minute_and_ends(client: Client) -> None:
    def take() -> dict[str, object]:
        keys = {name: client.keys["v1"][name] for name in ("imp_key", "imp_secret")}
        answer = client.http.post("/v1/users/getToken", data=keys)
        shown: dict[str, object] = answer.json()["response"]
        return shown

    first = take()
    assert int(str(first["expired_at"])) - int(str(first["now"])) == 1800
    client.advance(minutes=28)
    assert {**take(), "now": 0} == {**first, "now": 0}
    client.advance(minutes=1, seconds=30)
    stretched = take()
    assert stretched["access_token"] == first["access_token"]
    assert int(str(stretched["expired_at"])) == int(str(first["expired_at"])) + 300
    client.advance(minutes=6)
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    assert client.http.get("/v1/payments/find/x", headers=headers).status_code == 401
    assert take()["access_token"] != first["access_token"]


def test_wrong_keys_and_missing_tokens_are_401(client: Client) -> None:
    answer = client.http.post("/v1/users/getToken", json={"imp_key": "x", "imp_secret": "y"})
    assert (answer.status_code, answer.json()["code"]) == (401, -1)
    answer = client.http.get("/v1/payments/find/x")
    assert (answer.status_code, answer.json()) == (
        401,
        {"code": -1, "message": "Unauthorized", "response": None},
    )


@pytest.mark.parametrize("form", [False, True])
def test_an_amount_is_registered_once_changed_and_read(client: Client, form: bool) -> None:
    def send(method: str, amount: int) -> dict[str, object]:
        body = {"merchant_uid": "order-1", "amount": amount}
        headers = {"Authorization": client.token}
        path, as_json, as_form = (
            "/v1/payments/prepare",
            None if form else body,
            body if form else None,
        )
        answer = client.http.request(method, path, headers=headers, json=as_json, data=as_form)
        shown: dict[str, object] = answer.json()
        return shown

    assert send("PUT", 900)["code"] == -1
    assert send("POST", 1000)["code"] == 0
    again = send("POST", 1000)
    assert again["code"] == 1
    assert "이미 등록된 merchant_uid" in str(again["message"])
    assert send("PUT", 1500)["code"] == 0
    assert client.v1_ok("GET", "/payments/prepare/order-1")["amount"] == 1500


def test_attempts_of_one_order_end_with_the_paid_one(client: Client) -> None:
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 1000})
    failed = client.pay("order-1", outcome="failed")
    assert (failed["success"], bool(failed["error_msg"])) == (False, True)
    left = client.pay("order-1", outcome="abandoned")
    paid = client.pay("order-1")
    assert paid["success"] is True
    assert len({r["imp_uid"] for r in (failed, left, paid)}) == 3
    assert client.v1_ok("GET", "/payments/find/order-1")["status"] == "paid"
    found = client.v1_ok("GET", "/payments/findAll/order-1", params={"sorting": "started"})
    assert [p["status"] for p in found["list"]] == ["failed", "ready", "paid"]
    assert client.v1_ok("GET", "/payments/find/order-1/ready")["imp_uid"] == left["imp_uid"]
    refusal = client.control("POST", "pay", {"payment_id": "order-1"}, status=409)
    assert refusal["code"] == "already_paid"


def test_a_test_payment_is_found_by_imp_uid_only_when_asked_for(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")
    hidden = client.v1("GET", f"/payments/{imp_uid}")
    assert (hidden.status_code, hidden.json()["message"]) == (404, "존재하지 않는 결제정보입니다.")
    shown = client.v1_ok("GET", f"/payments/{imp_uid}", params={"include_sandbox": "true"})
    assert (shown["amount"], shown["sandbox"], shown["merchant_uid"]) == (1000, True, "order-1")
    client.set(v1_list_hides_test=True)
    assert client.v1("GET", "/payments/find/order-1").status_code == 404


def test_the_gateway_can_record_another_amount_than_was_registered(client: Client) -> None:
    client.v1_paid("order-1", amount=1000, card={"number": "1234"})
    assert client.v1_ok("GET", "/payments/find/order-1")["amount"] == 1000
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-2", "amount": 1000})
    client.pay("order-2", amount=10)
    assert client.v1_ok("GET", "/payments/find/order-2")["amount"] == 10
    assert client.control("POST", "pay", {"payment_id": "unknown"}, status=404)


def test_cancels_follow_the_checksum_and_end_at_nothing(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")

    def cancel(**more: object) -> dict[str, object]:
        answer = client.v1("POST", "/payments/cancel", {"imp_uid": imp_uid, **more})
        assert answer.status_code == 200
        shown: dict[str, object] = answer.json()
        return shown

    assert cancel(amount=300, checksum=999)["code"] == 1
    partial = cancel(amount=300, checksum=1000, reason="color")["response"]
    assert isinstance(partial, dict)
    assert (partial["status"], partial["cancel_amount"]) == ("paid", 300)
    assert partial["cancel_history"][0]["reason"] == "color"
    assert cancel(amount=701)["code"] == 1
    whole = cancel(amount=0)["response"]
    assert isinstance(whole, dict)
    assert (whole["status"], whole["cancel_amount"]) == ("cancelled", 1000)
    assert cancel() == {"code": 1, "message": "이미 전액취소된 주문입니다.", "response": None}


def test_cancel_needs_a_known_payment_and_imp_uid_wins(client: Client) -> None:
    client.v1_paid("order-1")
    unknown = {"code": 1, "message": "취소할 결제건이 존재하지 않습니다.", "response": None}
    for body in ({"merchant_uid": "no"}, {"imp_uid": "imp_0", "merchant_uid": "order-1"}):
        assert client.v1("POST", "/payments/cancel", body).json() == unknown
    assert client.v1("POST", "/payments/cancel", {}).json()["code"] == 1


@pytest.mark.parametrize("word", ["paid", "cancelled"])
def test_the_status_after_a_partial_cancel_is_a_switch(client: Client, word: str) -> None:
    client.set(v1_partial_cancel_status=word)
    client.v1_paid("order-1")
    shown = client.v1_ok("POST", "/payments/cancel", {"merchant_uid": "order-1", "amount": 1})
    assert (shown["status"], shown["cancel_amount"]) == (word, 1)


def test_webhooks_tell_of_payment_and_console_cancel_alone(
    client: Client, receiver: Receiver
) -> None:
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 1000})
    client.pay("order-1", outcome="failed")
    imp_uid = client.pay("order-1")["imp_uid"]
    client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid, "amount": 100})
    client.control("POST", "cancel", {"payment_id": "order-1", "amount": 200})
    body = {"imp_uid": imp_uid, "amount": 300, "enable_webhook": True}
    client.v1_ok("POST", "/payments/cancel", body)
    client.settle()
    told = [read_json(r.body) for r in receiver.received]
    assert [t["status"] for t in told] == ["paid", "cancelled", "cancelled"]
    assert all((t["imp_uid"], t["merchant_uid"]) == (imp_uid, "order-1") for t in told)
    assert ["cancellation_id" in t for t in told] == [False, True, True]


def test_the_console_may_ask_for_forms_and_a_payment_for_its_own_url(
    client: Client, receiver: Receiver
) -> None:
    client.set(v1_webhook_format="form")
    client.v1_paid("order-1", notice_urls=[f"{receiver.url}/own"])
    client.settle()
    (got,) = receiver.received
    assert (got.path, got.headers["content-type"]) == ("/own", "application/x-www-form-urlencoded")
    assert "merchant_uid=order-1&status=paid" in got.body


def read_json(text: str) -> dict[str, str]:
    """A webhook's JSON."""
    told: dict[str, str] = json.loads(text)
    return told
