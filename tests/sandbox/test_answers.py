"""Answers and callbacks hold what shops read, whatever the method."""

import json
import re
from datetime import datetime

import httpx
import pytest

from .client import Client, Json
from .test_v2 import CARD, instant

BUYER = {
    "buyer_name": "김구매",
    "buyer_tel": "010-1234-5678",
    "buyer_email": "buyer@example.com",
    "buyer_addr": "서울 중구",
    "buyer_postcode": "04524",
}


def v1_window(client: Client, order_id: str, **params: object) -> Json:
    """A V1 payment through a window, and its callback's value."""
    params = {"merchant_uid": order_id, "amount": 1100, "name": "키보드", **BUYER, **params}
    client.control("POST", "checkout", {"version": "V1", "params": params}, 201)
    return client.pay(order_id)


def v2_window(client: Client, order_id: str, **params: object) -> Json:
    """A V2 payment through a window, and how V2 shows it."""
    params = {
        "storeId": client.keys["v2"]["store_id"],
        "channelKey": client.keys["v2"]["channel_key"],
        "paymentId": order_id,
        "orderName": "키보드",
        "totalAmount": 1100,
        "currency": "KRW",
        "payMethod": "CARD",
        **params,
    }
    client.control("POST", "checkout", {"version": "V2", "params": params}, 201)
    client.pay(order_id)
    return client.v2_ok("GET", f"/payments/{order_id}")


def test_v1_shows_the_card_its_issuer_and_a_receipt(client: Client) -> None:
    v1_window(client, "order-1")
    paid = client.v1_ok("GET", "/payments/find/order-1")
    assert (paid["card_code"], paid["card_issuer_code"]) == ("366", "366")
    assert paid["card_publisher_code"] == "366"
    assert paid["card_issuer_name"] == paid["card_publisher_name"] == "신한카드"
    receipt = httpx.get(paid["receipt_url"], trust_env=False)
    assert receipt.status_code == 200
    for word in ("키보드", "1,100", paid["apply_num"], paid["imp_uid"]):
        assert word in receipt.text


def test_a_cancellation_has_a_receipt_of_its_own(client: Client) -> None:
    imp_uid = client.v1_paid("order-1", 1100)
    client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid, "amount": 300})
    shown = client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid, "amount": 200})
    urls = [one["receipt_url"] for one in shown["cancel_history"]]
    assert urls == shown["cancel_receipt_urls"]
    assert len({*urls, shown["receipt_url"]}) == 3
    assert "300" in httpx.get(urls[0], trust_env=False).text
    assert httpx.get(urls[0] + "0", trust_env=False).status_code == 404


def test_what_is_not_paid_has_no_receipt(client: Client) -> None:
    account = client.v1_account("order-1")
    assert "receipt_url" not in account
    client.v2_paid("order-2", outcome="failed")
    failed = client.v2_ok("GET", "/payments/order-2")
    assert "receiptUrl" not in failed
    url = f"/checkout/{account['imp_uid']}/receipt"
    assert client.http.get(url).status_code == 404


@pytest.mark.parametrize("path", ["/v1/payments/find/order-1", "/payments/find/order-1"])
def test_a_receipt_is_where_the_client_found_the_sandbox(client: Client, path: str) -> None:
    client.v1_paid("order-1")
    headers = {"Authorization": client.token, "Host": "sandbox.test:81"}
    found = client.http.get(path, headers=headers).json()["response"]
    assert found["receipt_url"].startswith("http://sandbox.test:81/checkout/imp_")


def test_v1_shows_the_bank_of_a_transfer(client: Client) -> None:
    v1_window(client, "order-1", pay_method="trans")
    paid = client.v1_ok("GET", "/payments/find/order-1")
    assert (paid["bank_code"], paid["bank_name"]) == ("088", "신한은행")


@pytest.mark.parametrize(
    ("word", "v1", "v2"),
    [("kakaopay", "kakaopay", "KAKAOPAY"), ("samsung", "samsung", "SAMSUNGPAY")],
)
def test_a_wallet_is_named(client: Client, word: str, v1: str, v2: str) -> None:
    v1_window(client, "order-1", pay_method=word)
    paid = client.v1_ok("GET", "/payments/find/order-1")
    assert (paid["pay_method"], paid["emb_pg_provider"]) == ("point", v1)
    for easy_pay in ({"easyPayProvider": v2}, {"easyPayProvider": f"EASY_PAY_PROVIDER_{v2}"}):
        order_id = f"order-{len(easy_pay['easyPayProvider'])}"
        shown = v2_window(client, order_id, payMethod="EASY_PAY", easyPay=easy_pay)
        assert shown["method"]["provider"] == v2


@pytest.mark.parametrize("word", ["cultureland", "smartculture", "booknlife", "culturegift"])
def test_a_gift_certificate_keeps_its_name(client: Client, word: str) -> None:
    v1_window(client, "order-1", pay_method=word)
    assert client.v1_ok("GET", "/payments/find/order-1")["pay_method"] == word


def test_v1s_callback_holds_what_older_modules_give(client: Client) -> None:
    custom = {"cart": [1, 2]}
    result = v1_window(client, "order-1", custom_data=custom)
    paid = client.v1_ok("GET", "/payments/find/order-1")
    for name in ("apply_num", "receipt_url", "pg_provider", "card_name", *BUYER):
        assert result[name] == paid[name], name
    assert result["custom_data"] == custom
    left = v1_window(client, "order-2", pay_method="vbank")
    assert left["vbank_num"]
    assert left["buyer_name"] == "김구매"


def test_v2_shows_the_card_and_what_the_company_said(client: Client) -> None:
    shown = v2_window(client, "order-1")
    card = shown["method"]["card"]
    assert (card["issuer"], card["publisher"]) == ("SHINHAN_CARD", "SHINHAN_CARD")
    assert card["number"].startswith(card["bin"])
    assert re.fullmatch(r"[0-9]{6}", card["bin"])
    assert shown["pgTxId"] in shown["pgResponse"]
    assert shown["orderName"] in httpx.get(shown["receiptUrl"], trust_env=False).text
    client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심", "amount": 100})
    assert client.v2_ok("GET", "/payments/order-1")["receiptUrl"] == shown["receiptUrl"]


@pytest.mark.parametrize("bank", ["KAKAO", None])
def test_v2_shows_the_bank_of_a_transfer(client: Client, bank: str | None) -> None:
    body: dict[str, object] = {"totalAmount": 1000, "currency": "KRW"}
    client.v2_ok("POST", "/payments/order-1/pre-register", body)
    client.pay("order-1", method="TRANSFER", bank=bank)
    shown = client.v2_ok("GET", "/payments/order-1")["method"]
    assert shown == {"type": "PaymentMethodTransfer", "bank": bank or "SHINHAN"}


PRODUCTS = [
    {"id": "sku-1", "name": "키보드", "amount": 1000, "quantity": 1, "code": "K", "tag": "t"},
    {"id": "sku-2", "name": "스티커", "amount": 50, "quantity": 2, "link": "https://a.example/"},
]


def test_v2_keeps_products_and_the_rest_of_the_order(client: Client) -> None:
    more = {"products": PRODUCTS, "productCount": 3, "country": "KR", "isCulturalExpense": True}
    shown = v2_window(client, "order-1", **(more | {"country": "COUNTRY_KR"}))
    assert {name: shown[name] for name in more} == more
    assert client.v2_ok("GET", "/payments/order-1/transactions")["items"][0]["products"] == PRODUCTS
    client.v2_ok("POST", "/payments/order-2/instant", instant(client, CARD) | more)
    shown = client.v2_ok("GET", "/payments/order-2")
    assert {name: shown[name] for name in more} == more
    broken = instant(client, CARD) | {"products": [{"id": "sku-1"}]}
    assert client.v2("POST", "/payments/order-3/instant", broken).status_code == 400


def test_v2_keeps_the_customer_as_given(client: Client) -> None:
    address = {"addressLine1": "세종대로 110", "addressLine2": "1층", "city": "중구"}
    customer = {"birthYear": "1990", "gender": "FEMALE", "address": address, "zipcode": "04524"}
    customer |= {"name": {"full": "김구매"}, "phoneNumber": "010-1234-5678"}
    client.v2_ok(
        "POST", "/payments/order-1/instant", instant(client, CARD) | {"customer": customer}
    )
    shown = client.v2_ok("GET", "/payments/order-1")["customer"]
    assert (shown["birthYear"], shown["gender"], shown["name"]) == ("1990", "FEMALE", "김구매")
    assert shown["address"]["oneLine"] == "중구 세종대로 110 1층"


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def moments(value: object) -> list[str]:
    """Every time within an answer."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in moments(part)]
    if isinstance(value, list):
        return [text for part in value for text in moments(part)]
    looks = isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value)
    return [value] if looks and isinstance(value, str) else []


def test_v2_writes_times_in_milliseconds(client: Client) -> None:
    client.set(webhook_url_v2="http://127.0.0.1:9/none")
    client.control("POST", "clock", {"at": "2030-01-01T00:00:00.000Z"})
    client.v2_paid("order-1", method="VIRTUAL_ACCOUNT")
    client.v2_ok("POST", "/payments/order-2/instant", instant(client, CARD))
    client.v2_ok("POST", "/payments/order-2/cancel", {"reason": "변심"})
    answers: list[object] = [client.v2_ok("GET", f"/payments/order-{n}") for n in (1, 2)]
    answers += [client.v2_ok("GET", "/payments"), client.v2_ok("GET", "/payments-by-cursor")]
    answers.append(client.v2_ok("POST", "/payments/order-1/virtual-account/close"))
    answers += [json.loads(webhook["body"]) for webhook in client.sends()]
    found = [text for answer in answers for text in moments(answer)]
    assert len(found) > 30
    assert [text for text in found if not MOMENT.fullmatch(text)] == []


def test_a_time_that_was_shown_finds_its_payment(client: Client) -> None:
    client.v2_paid("order-1")
    at = client.v2_ok("GET", "/payments/order-1")["statusChangedAt"]
    assert datetime.fromisoformat(at).microsecond % 1000 == 0
    body: Json = {"filter": {"from": at, "until": at}}
    items = client.v2("GET", "/payments", body).json()["items"]
    assert [one["id"] for one in items] == ["order-1"]
