"""The banks behind virtual accounts, and what V1 offers to do with them."""

import pytest

from .client import Client, Json
from .process import Receiver


def deposit(client: Client, account: Json, amount: int = 1000, status: int = 200) -> Json:
    """Money arrives."""
    order = {"account_number": account["vbank_num"], "amount": amount}
    shown: Json = client.control("POST", "deposit", order, status)
    return shown


def look(client: Client) -> Json:
    """order-1 as V1 shows it."""
    shown: Json = client.v1_ok("GET", "/payments/find/order-1")
    return shown


def test_an_issued_account_is_ready_until_money_comes(client: Client, receiver: Receiver) -> None:
    account = client.v1_account("order-1", vbank_holder="마켓")
    assert (account["status"], account["vbank_holder"], account["vbank_name"]) == (
        "ready",
        "마켓",
        "신한은행",
    )
    assert deposit(client, account)["v1_status"] == "paid"
    assert look(client)["deposit_history"][0]["amount"] == 1000
    client.settle()
    assert ['"ready"' in got.body for got in receiver.received] == [True, False]
    unknown = {"account_number": "000", "amount": 1}
    client.control("POST", "deposit", unknown, status=404)


@pytest.mark.parametrize("amount", [999, 1001])
@pytest.mark.parametrize(
    ("policy", "recorded"), [("refuse", None), ("keep_amount", 1000), ("take_amount", -1)]
)
def test_short_and_over_deposits_follow_the_switch(
    client: Client, policy: str, recorded: int | None, amount: int
) -> None:
    client.set(deposit_mismatch=policy)
    account = client.v1_account("order-1")
    deposit(client, account, amount, status=409 if recorded is None else 200)
    shown = look(client)
    if recorded is None:
        assert (shown["status"], shown["deposit_history"]) == ("ready", [])
    else:
        assert shown["status"] == "paid"
        assert shown["amount"] == (amount if recorded < 0 else recorded)
        assert shown["deposit_history"][0]["amount"] == amount


@pytest.mark.parametrize(("policy", "status"), [("accept", "paid"), ("refuse", "ready")])
def test_late_deposits_follow_the_switch(client: Client, policy: str, status: str) -> None:
    client.set(late_deposit=policy)
    account = client.v1_account("order-1")
    client.advance(hours=25)
    assert look(client)["status"] == "ready"
    deposit(client, account, status=200 if policy == "accept" else 409)
    assert look(client)["status"] == status


def test_an_account_can_fail_at_its_due_time(client: Client, receiver: Receiver) -> None:
    client.set(account_expiry="fail")
    client.v1_account("order-1")
    client.advance(hours=23)
    assert look(client)["status"] == "ready"
    client.advance(hours=2)
    client.settle()
    assert look(client)["status"] == "failed"
    assert len(receiver.received) == 1  # V1 tells of no failure


@pytest.mark.parametrize("fixed", [False, True])
def test_a_second_deposit_and_one_after_cancel_never_move_the_status(
    client: Client, fixed: bool
) -> None:
    account = client.v1_account("order-1", fixed_unlimited_vbank=fixed)
    deposit(client, account)
    deposit(client, account, status=200 if fixed else 409)
    refund = {"refund_holder": "홍길동", "refund_bank": "004", "refund_account": "123"}
    body = {"imp_uid": account["imp_uid"], **refund}
    assert client.v1_ok("POST", "/payments/cancel", body)["status"] == "cancelled"
    client.set(extra_deposit="record")
    deposit(client, account)
    shown = look(client)
    assert (shown["status"], shown["cancel_amount"]) == ("cancelled", 1000)
    assert len(shown["deposit_history"]) == (3 if fixed else 2)


def test_a_refund_needs_an_account_to_go_to(client: Client) -> None:
    account = client.v1_account("order-1")
    deposit(client, account)
    body = {"imp_uid": account["imp_uid"]}
    assert client.v1("POST", "/payments/cancel", body).json()["code"] == 1
    assert look(client)["cancel_amount"] == 0


def test_an_account_is_changed_and_revoked_before_a_deposit_alone(client: Client) -> None:
    account = client.v1_account("order-1")
    path = f"/vbanks/{account['imp_uid']}"
    assert client.v1_ok("PUT", path, {"amount": 700})["amount"] == 700
    revoked = client.v1_ok("DELETE", path)
    assert (revoked["status"], bool(revoked["fail_reason"])) == ("failed", True)
    assert client.v1("DELETE", path).status_code == 400
    assert client.v1("PUT", path, {"amount": 1}).status_code == 400
    assert client.v1("DELETE", "/vbanks/imp_0").status_code == 404
    assert client.v1("PUT", "/vbanks/imp_0", {}).status_code == 404
    deposit(client, account, 700, status=409)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vbank_code": "999"},
        {"vbank_due": 1},
        {"amount": 0},
        {"amount": "x"},
        {"channel_key": "nope"},
        {"merchant_uid": "paid"},
        {"merchant_uid": "x" * 41},
    ],
)
def test_an_account_is_refused_as_200_with_a_code(client: Client, wrong: Json) -> None:
    client.v1_paid("paid")
    body = {"channel_key": client.keys["v1"]["channel_key"], "merchant_uid": "order-1"}
    body |= {"amount": 1000, "vbank_code": "088", "vbank_due": 4_000_000_000, **wrong}
    answer = client.v1("POST", "/vbanks", body)
    assert (answer.status_code, answer.json()["code"]) == (200, 1)


def test_one_order_may_have_several_waiting_accounts(client: Client) -> None:
    first, second = client.v1_account("order-1"), client.v1_account("order-1")
    assert first["vbank_num"] != second["vbank_num"]
    deposit(client, first)
    assert client.v1_ok("GET", "/payments/find/order-1/paid")["imp_uid"] == first["imp_uid"]
