"""The window that the browser SDK opens, and what its buyer leaves behind."""

from typing import Any

import pytest

from .client import Client, Json
from .process import Receiver


def v1_params(client: Client, **more: object) -> Json:
    """IMP.request_pay's parameters."""
    return {
        "channelKey": client.keys["v1"]["channel_key"],
        "merchant_uid": "order-1",
        "name": "양말",
        "amount": 1000,
        "buyer_name": "홍길동",
        "custom_data": {"trade": 7},
        **more,
    }


def v2_params(client: Client, **more: object) -> Json:
    """PortOne.requestPayment's parameters."""
    return {
        "storeId": client.keys["v2"]["store_id"],
        "channelKey": client.keys["v2"]["channel_key"],
        "paymentId": "order-1",
        "orderName": "양말",
        "totalAmount": 1000,
        "currency": "CURRENCY_KRW",
        "payMethod": "CARD",
        "customer": {"fullName": "홍길동"},
        "customData": {"trade": 7},
        **more,
    }


def open_window(client: Client, version: str, params: Json, status: int = 201) -> Any:
    """The SDK opens a window."""
    return client.control("POST", "checkout", {"version": version, "params": params}, status)


def test_a_v1_window_keeps_what_the_page_said(client: Client) -> None:
    opened = open_window(client, "V1", v1_params(client))
    assert client.pay("order-1")["imp_uid"] == opened["tx_id"]
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["name"], shown["buyer_name"]) == ("양말", "홍길동")
    assert shown["custom_data"] == '{"trade":7}'


def test_a_v2_window_keeps_what_the_page_said(client: Client, receiver: Receiver) -> None:
    own = {"noticeUrls": [f"{receiver.url}/one", f"{receiver.url}/two"]}
    opened = open_window(client, "V2", v2_params(client, **own))
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "READY"
    assert client.pay("order-1")["txId"] == opened["tx_id"]
    shown = client.v2_ok("GET", "/payments/order-1")
    assert (shown["orderName"], shown["customer"]["name"]) == ("양말", "홍길동")
    client.settle()
    assert sorted(got.path for got in receiver.received) == ["/one", "/one", "/two", "/two"]


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_another_amount_than_registered_opens_no_window(client: Client, version: str) -> None:
    if version == "V1":
        client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 999})
        params = v1_params(client)
    else:
        client.v2_ok("POST", "/payments/order-1/pre-register", {"totalAmount": 999})
        params = v2_params(client)
    refusal = open_window(client, version, params, 409)
    assert refusal["code"] == "amount_not_equal_to_predefined"
    assert client.control("GET", "payments")["items"] == []


def test_a_paid_order_opens_no_second_window(client: Client) -> None:
    open_window(client, "V2", v2_params(client))
    client.pay("order-1")
    assert open_window(client, "V2", v2_params(client), 409)["code"] == "already_paid"


@pytest.mark.parametrize(
    ("version", "params", "due"),
    [
        ("V1", {"pay_method": "vbank", "vbank_due": "20991231"}, "2099-12-31T14:59:59Z"),
        ("V1", {"pay_method": "vbank", "vbank_due": "2099-12-31 09:00:00"}, "2099-12-31T00:00:00Z"),
        (
            "V2",
            {
                "payMethod": "VIRTUAL_ACCOUNT",
                "virtualAccount": {
                    "bankCode": "KAKAO",
                    "accountExpiry": {"dueDate": "2099-12-31 09:00:00"},
                },
            },
            "2099-12-31T00:00:00Z",
        ),
    ],
)
def test_a_window_may_end_in_an_account(
    client: Client, version: str, params: Json, due: str
) -> None:
    make = v1_params if version == "V1" else v2_params
    open_window(client, version, make(client, **params))
    client.pay("order-1", **({"bank": "KAKAO"} if version == "V1" else {}))
    (payment,) = client.control("GET", "payments")["items"]
    account = payment["account"]
    assert (payment["status"], account["bank"]) == ("VIRTUAL_ACCOUNT_ISSUED", "KAKAO")
    assert account["due_at"] == due


@pytest.mark.parametrize(
    "wrong", [{"amount": 0}, {"merchant_uid": None}, {"vbank_due": "soon"}, {"amount": -1}]
)
def test_a_malformed_call_opens_nothing(client: Client, wrong: Json) -> None:
    assert open_window(client, "V1", v1_params(client) | wrong, 400)["code"] == "invalid_request"


def test_a_buyer_may_settle_what_the_window_left_open(client: Client, receiver: Receiver) -> None:
    open_window(client, "V1", v1_params(client))
    client.pay("order-1", name="모자", amount=900, notice_urls=[f"{receiver.url}/own"])
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["name"], shown["amount"]) == ("모자", 900)
    client.settle()
    assert [got.path for got in receiver.received] == ["/own"]


@pytest.mark.parametrize("outcome", ["failed", "abandoned"])
def test_an_attempt_may_be_approved_late(client: Client, outcome: str) -> None:
    open_window(client, "V1", v1_params(client))
    first = client.pay("order-1", outcome=outcome)["imp_uid"]
    late = client.pay(first)
    assert (late["imp_uid"], late["success"]) == (first, True)
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["imp_uid"], shown["status"], shown["failed_at"]) == (first, "paid", 0)


def test_an_amount_registered_without_a_currency_is_compared_in_major_units(
    client: Client,
) -> None:
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 10})
    open_window(client, "V1", v1_params(client, amount=10, currency="USD"))
    refusal = open_window(client, "V1", v1_params(client, amount=10.5, currency="USD"), 409)
    assert refusal["code"] == "amount_not_equal_to_predefined"
