"""Several attempts under one order, and attempts that end by another method."""

import pytest

from .client import Client, Json
from .process import Receiver
from .test_v1 import read_json


def windows(client: Client, count: int, amount: int = 1000) -> list[str]:
    """Windows opened at once under one V1 order; their imp_uids."""
    params = {"merchant_uid": "order-1", "amount": amount, "pay_method": "card", "name": "양말"}
    opened = [
        client.control("POST", "checkout", {"version": "V1", "params": params}, 201)
        for _ in range(count)
    ]
    return [str(one["tx_id"]) for one in opened]


def found(client: Client, path: str) -> dict[str, str]:
    """The statuses of every attempt by imp_uid, as V1 lists them."""
    listed = client.v1_ok("GET", f"/payments/findAll/order-1{path}")["list"]
    return {one["imp_uid"]: one["status"] for one in listed}


def test_v1_accounts_of_one_order_are_open_together_and_each_takes_its_deposit(
    client: Client, receiver: Receiver
) -> None:
    accounts = [client.v1_account("order-1") for _ in range(3)]
    uids = [account["imp_uid"] for account in accounts]
    assert len({account["vbank_num"] for account in accounts}) == 3
    assert found(client, "/ready") == dict.fromkeys(uids, "ready")
    first = {"account_number": accounts[0]["vbank_num"], "amount": 1000}
    client.control("POST", "deposit", first)
    # The newest attempt is not the one that was paid.
    assert client.v1_ok("GET", "/payments/find/order-1")["imp_uid"] == uids[2]
    assert client.v1_ok("GET", "/payments/find/order-1/paid")["imp_uid"] == uids[0]
    client.control("POST", "deposit", {**first, "account_number": accounts[1]["vbank_num"]})
    assert found(client, "") == {uids[0]: "paid", uids[1]: "paid", uids[2]: "ready"}
    client.settle()
    told = [read_json(webhook.body) for webhook in receiver.received]
    assert [(t["imp_uid"], t["status"]) for t in told] == [
        *((uid, "ready") for uid in uids),
        (uids[0], "paid"),
        (uids[1], "paid"),
    ]


@pytest.mark.parametrize("outcome", ["failed", "abandoned", "paid"])
def test_a_window_named_by_its_imp_uid_is_the_one_that_ends(client: Client, outcome: str) -> None:
    first, second = windows(client, 2)
    assert client.pay(first, outcome=outcome)["imp_uid"] == first
    shown = {one["tx_id"]: one for one in client.control("GET", "payments")["items"]}
    assert (shown[first]["window_closed"], shown[second]["window_closed"]) == (
        outcome == "abandoned",
        False,
    )
    assert shown[second]["status"] == "READY"
    expected = {"failed": "FAILED", "abandoned": "READY", "paid": "PAID"}
    assert shown[first]["status"] == expected[outcome]


@pytest.mark.parametrize("accepted", [False, True])
def test_whether_a_second_window_can_be_paid_is_a_setting(client: Client, accepted: bool) -> None:
    client.set(v1_second_payment="accept" if accepted else "refuse")
    first, second = windows(client, 2)
    client.pay(first)
    order = {"payment_id": second, "outcome": "paid"}
    client.control("POST", "pay", order, 200 if accepted else 409)
    assert found(client, "/paid") == dict.fromkeys([first, *[second] * accepted], "paid")
    # A window that opens after the payment is refused in either case.
    params = {"merchant_uid": "order-1", "amount": 1000}
    client.control("POST", "checkout", {"version": "V1", "params": params}, 409)


def test_v1_cancels_by_order_reach_the_payment_that_has_money_left(client: Client) -> None:
    client.set(v1_second_payment="accept")
    first, second = windows(client, 2)
    client.pay(first)
    client.pay(second)
    uids = [
        client.v1_ok("POST", "/payments/cancel", {"merchant_uid": "order-1"})["imp_uid"]
        for _ in range(2)
    ]
    assert uids == [first, second]
    again = client.v1("POST", "/payments/cancel", {"merchant_uid": "order-1"}).json()
    assert again["message"] == "이미 전액취소된 주문입니다."


def v1_begun(client: Client, pay_method: str) -> str:
    params = {"merchant_uid": "order-1", "amount": 1000, "pay_method": pay_method, "name": "양말"}
    opened = client.control("POST", "checkout", {"version": "V1", "params": params}, 201)
    return str(opened["tx_id"])


def v2_begun(client: Client, pay_method: str) -> str:
    params = {
        "storeId": client.keys["v2"]["store_id"],
        "channelKey": client.keys["v2"]["channel_key"],
        "paymentId": "order-1",
        "orderName": "양말",
        "totalAmount": 1000,
        "currency": "KRW",
        "payMethod": pay_method,
    }
    opened = client.control("POST", "checkout", {"version": "V2", "params": params}, 201)
    return str(opened["tx_id"])


def test_v1_a_card_window_can_end_in_an_account(client: Client) -> None:
    imp_uid = v1_begun(client, "card")
    client.pay(imp_uid, method="VIRTUAL_ACCOUNT", bank="KAKAO")
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["status"], shown["pay_method"], shown["vbank_code"]) == ("ready", "vbank", "090")
    assert "card_name" not in shown
    deposit = {"account_number": shown["vbank_num"], "amount": 1000}
    client.control("POST", "deposit", deposit)
    refund = client.v1("POST", "/payments/cancel", {"imp_uid": imp_uid}).json()
    assert refund["message"] == "가상계좌 환불에는 환불계좌 정보가 필요합니다."


def test_v1_an_account_window_can_end_in_a_card(client: Client) -> None:
    imp_uid = v1_begun(client, "vbank")
    client.pay(imp_uid, method="CARD")
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["status"], shown["pay_method"]) == ("paid", "card")
    assert shown["card_name"]
    assert shown["vbank_date"] == 0
    assert "vbank_num" not in shown
    client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid})


@pytest.mark.parametrize("begun", ["CARD", "VIRTUAL_ACCOUNT"])
def test_v2_records_show_the_method_that_was_used(client: Client, begun: str) -> None:
    tx_id = v2_begun(client, begun)
    used = "VIRTUAL_ACCOUNT" if begun == "CARD" else "CARD"
    client.pay(tx_id, method=used, bank="KAKAO")
    method: Json = client.v2_ok("GET", "/payments/order-1")["method"]
    (attempt,) = client.v2_ok("GET", "/payments/order-1/transactions")["items"]
    assert attempt["method"] == method
    if used == "CARD":
        assert method["type"] == "PaymentMethodCard"
        assert method["card"]["number"]
        client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심"})
    else:
        assert (method["type"], method["bank"]) == ("PaymentMethodVirtualAccount", "KAKAO")
        deposit = {"account_number": method["accountNumber"], "amount": 1000}
        client.control("POST", "deposit", deposit)
        answer = client.v2("POST", "/payments/order-1/cancel", {"reason": "변심"})
        assert answer.status_code == 400


def test_v2_an_account_can_be_left_for_a_card_of_the_same_order(client: Client) -> None:
    client.pay(v2_begun(client, "VIRTUAL_ACCOUNT"))
    waiting = client.v2_ok("GET", "/payments/order-1")["method"]["accountNumber"]
    card = v2_begun(client, "CARD")
    client.pay(card)
    shown = client.v2_ok("GET", "/payments/order-1")
    assert (shown["transactionId"], shown["method"]["type"]) == (card, "PaymentMethodCard")
    # The account still takes money: the gateway closes nothing by itself.
    client.control("POST", "deposit", {"account_number": waiting, "amount": 1000})
    statuses = [a["status"] for a in client.v2_ok("GET", "/payments/order-1/transactions")["items"]]
    assert statuses == ["PAID", "PAID"]
