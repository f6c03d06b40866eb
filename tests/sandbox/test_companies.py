"""The payment companies behind PortOne, each with its own demands."""

from datetime import datetime
from typing import Any, get_args

import pytest

from portone_sandbox.core.companies import COMPANIES, CompanyName

from .client import Client, Json
from .process import Receiver
from .test_v2 import VIRTUAL_ACCOUNT, instant

NAMES = sorted(get_args(CompanyName))
BUYER = {"buyer_name": "홍길동", "buyer_tel": "010-1234-5678", "buyer_email": "hong@example.com"}
CUSTOMER = {"fullName": "홍길동", "phoneNumber": "010-1234-5678", "email": "hong@example.com"}
LONG = "아주 상태 좋은 원목 책상과 의자 세트 직거래 환영합니다 " * 3
MARKS = "[새상품] 50% 할인 A&B = C+D | 1-2 $5, 10\\20"
FAMILY = "👨‍👩‍👧‍👦" * 12


def behind(client: Client, company: str, version: str = "V1") -> str:
    """Puts a company behind the version's channel; answers the channel's key."""
    key = str(client.keys[version.lower()]["channel_key"])
    client.set(companies={key: company})
    return key


def window(client: Client, version: str, status: int = 201, **more: Any) -> Json:
    """Opens a window as the browser's SDK does."""
    keys = client.keys["v2"]
    params: Json
    if version == "V1":
        params = {"merchant_uid": "order001", "amount": 1000, "name": "양말", **BUYER}
    else:
        params = {
            "storeId": keys["store_id"],
            "channelKey": keys["channel_key"],
            "paymentId": "order001",
            "orderName": "양말",
            "totalAmount": 1000,
            "currency": "KRW",
            "payMethod": "CARD",
            "customer": CUSTOMER,
        }
    params = {name: value for name, value in (params | more).items() if value is not None}
    order = {"version": version, "params": params}
    shown: Json = client.control("POST", "checkout", order, status)
    return shown


def named(version: str, name: str) -> Json:
    return {"name": name} if version == "V1" else {"orderName": name}


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("company", NAMES)
def test_every_company_takes_an_ordinary_order(client: Client, company: str, version: str) -> None:
    behind(client, company, version)
    window(client, version)
    client.pay("order001")
    if version == "V1":
        shown = client.v1_ok("GET", "/payments/find/order001")
        assert shown["pg_provider"] == COMPANIES[company].provider_v1  # type: ignore[index]
        client.v1_ok("POST", "/payments/cancel", {"merchant_uid": "order001"})
    else:
        shown = client.v2_ok("GET", "/payments/order001")
        provider = shown["channel"]["pgProvider"]
        assert provider == COMPANIES[company].provider_v2  # type: ignore[index]
        client.v2_ok("POST", "/payments/order001/cancel", {"reason": "변심"})


def test_without_a_company_nothing_is_demanded(client: Client) -> None:
    for name in (LONG[:100], MARKS, FAMILY):
        none: Json = dict.fromkeys(BUYER)
        window(client, "V1", merchant_uid=f"order-{len(name)}", **named("V1", name), **none)
    client.control("PUT", "settings", {"companies": {"channel-key-unknown": "nice"}}, 400)
    key = client.keys["v1"]["channel_key"]
    client.control("PUT", "settings", {"companies": {key: "nobody"}}, 400)


NEEDED = {
    "inicis": {"buyer_name", "buyer_tel", "buyer_email"},
    "welcome": {"buyer_name", "buyer_tel", "buyer_email"},
    "ksnet": {"buyer_name"},
    "smartro": {"buyer_tel"},
}
V2_FIELDS = {"buyer_name": "fullName", "buyer_tel": "phoneNumber", "buyer_email": "email"}


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("company", NAMES)
def test_a_company_refuses_a_buyer_it_knows_too_little_of(
    client: Client, company: str, version: str
) -> None:
    behind(client, company, version)
    for field in BUYER:
        wrong: dict[str, Any]
        for missing in (None, " "):
            if version == "V1":
                wrong = {field: missing}
            else:
                wrong = {"customer": CUSTOMER | {V2_FIELDS[field]: missing}}
            needed = field in NEEDED.get(company, set())
            shown = window(client, version, 409 if needed else 201, **wrong)
            if needed:
                assert shown["code"] == "pg_provider"
                assert field in shown["detail"]


def test_a_phone_need_not_say_what_the_mobile_window_asks(client: Client) -> None:
    behind(client, "inicis")
    params = {"merchant_uid": "order001", "amount": 1000, "name": "양말"}
    call = {"code": client.keys["v1"]["imp_code"], "params": params, "phone": False}
    refused = client.http.post("/checkout/v1", json=call).json()["result"]
    assert (refused["success"], refused["imp_uid"]) == (False, None)
    assert refused["error_code"] == "SANDBOX_BUYER"
    assert "window" in client.http.post("/checkout/v1", json=call | {"phone": True}).json()


def test_the_v2_sdk_hears_the_companys_words(client: Client) -> None:
    key = behind(client, "ksnet", "V2")
    params = {
        "storeId": client.keys["v2"]["store_id"],
        "channelKey": key,
        "paymentId": "order001",
        "orderName": "양말",
        "totalAmount": 1000,
        "currency": "KRW",
        "payMethod": "CARD",
    }
    result = client.http.post("/checkout/v2", json={"params": params}).json()["result"]
    assert (result["code"], result["txId"]) == ("PGProviderError", "")
    assert result["pgCode"] == "SANDBOX_BUYER"
    assert "fullName" in result["pgMessage"]


FITS = {
    "inicis": {LONG: True, MARKS: True, FAMILY: True},  # cut by the company itself
    "welcome": {LONG: True, MARKS: True, FAMILY: True},
    "nice": {LONG: False, MARKS: False, FAMILY: False, "가" * 13: True, "가" * 14: False},
    "smartro": {LONG: False, MARKS: False, FAMILY: False, "가" * 13: True, "가" * 14: False},
    "kcp": {LONG: False, MARKS: True, FAMILY: False, "가" * 33: True, "가" * 34: False},
    "ksnet": {LONG: False, FAMILY: False, "가" * 25: True, "가" * 25 + "a": False, "책 ☕": False},
    "kiwoom": {LONG: True, FAMILY: False, "책 ☕": False},
    "tosspayments": {"가" * 100: True, "가" * 101: False},
    "tosspay": {MARKS: False, "책, 의자": False, "책 의자": True},
}


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("company", NAMES)
def test_names_fit_a_company_or_are_refused(client: Client, company: str, version: str) -> None:
    behind(client, company, version)
    for name, fits in FITS[company].items():
        shown = window(client, version, 201 if fits else 409, **named(version, name))
        if not fits:
            assert shown["code"] == "pg_provider", name
            assert "주문명" in shown["detail"]


@pytest.mark.parametrize("mark", "%&|$-+=[]")
def test_nice_refuses_each_of_its_marks(client: Client, mark: str) -> None:
    behind(client, "nice")
    assert mark in window(client, "V1", 409, name=f"책 {mark} 의자")["detail"]


def test_inicis_cuts_a_long_name_in_its_window_and_nowhere_else(client: Client) -> None:
    behind(client, "inicis")
    name = "가" * 20
    call = {
        "code": client.keys["v1"]["imp_code"],
        "params": {"merchant_uid": "order001", "amount": 1000, "name": name, **BUYER},
        "phone": False,
    }
    opened = client.http.post("/checkout/v1", json=call).json()
    page = client.http.get(f"/{opened['window']}").text
    # 37 bytes are twelve letters and a byte of the thirteenth.
    assert f"<h1>{'가' * 12}�...</h1>" in page
    assert client.v1_ok("GET", "/payments/find/order001")["name"] == name


@pytest.mark.parametrize(
    ("company", "order_id", "fits"),
    [
        ("tosspayments", "order", False),
        ("tosspayments", "order_-1", True),
        ("tosspayments", "order 001", False),
        ("tosspayments", "a" * 65, False),
        ("kcp", "order-1", False),
        ("smartro", "order-1", False),
        ("smartro", "a" * 41, False),
        ("inicis", "주문1", False),
        ("welcome", "주문1", False),
        ("inicis", "order-1 #", True),
    ],
)
def test_companies_limit_the_letters_of_an_order_id(
    client: Client, company: str, order_id: str, fits: bool
) -> None:
    behind(client, company, "V2")
    window(client, "V2", 201 if fits else 409, paymentId=order_id)


@pytest.mark.parametrize(
    ("company", "name", "fits"),
    [
        ("inicis", "가" * 10, True),
        ("inicis", "가" * 11, False),
        ("ksnet", "가" * 25, True),
        ("ksnet", "가" * 26, False),
        ("kiwoom", "김☕", False),
        ("kcp", "가" * 31, False),
    ],
)
def test_companies_limit_a_buyers_name(client: Client, company: str, name: str, fits: bool) -> None:
    behind(client, company)
    window(client, "V1", 201 if fits else 409, buyer_name=name)


# ── virtual accounts ──

V1_CODES = {"inicis": "88", "nice": "088", "tosspayments": "088", "ksnet": "088", "welcome": "088"}
ISSUE = {"vbank_holder": "마켓", "name": "양말", **BUYER}


@pytest.mark.parametrize("company", sorted(V1_CODES))
def test_v1_issues_accounts_by_a_companys_own_bank_codes(client: Client, company: str) -> None:
    behind(client, company)
    query = f"?pg_api_key={client.keys['v1']['pg_api_key']}" if company == "inicis" else ""
    for code in ("88", "088", "BK88", "10"):
        body = _issue(client, vbank_code=code, merchant_uid=f"order{code}{company}")
        answer = client.v1("POST", f"/vbanks{query}", body).json()
        assert (answer["code"] == 0) == (code == V1_CODES[company]), answer
        if answer["code"] == 0:
            # The record has the standard code, whatever the company's own is.
            assert answer["response"]["vbank_code"] == "088"


def test_inicis_wants_its_api_key_to_open_and_close_an_account(client: Client) -> None:
    behind(client, "inicis")
    body, key = _issue(client, vbank_code="88"), client.keys["v1"]["pg_api_key"]
    for query in ("", "?pg_api_key=wrong"):
        answer = client.v1("POST", f"/vbanks{query}", body).json()
        assert "hashData" in answer["message"]
    opened = client.v1_ok("POST", f"/vbanks?pg_api_key={key}", body)["imp_uid"]
    assert "hashData" in client.v1("DELETE", f"/vbanks/{opened}").json()["message"]
    assert client.v1_ok("DELETE", f"/vbanks/{opened}?pg_api_key={key}")["status"] == "failed"


@pytest.mark.parametrize(
    ("company", "missing"),
    [
        ("inicis", "buyer_email"),
        ("inicis", "buyer_name"),
        ("inicis", "vbank_holder"),
        ("nice", "vbank_holder"),
        ("smartro", "buyer_tel"),
        ("tosspayments", "buyer_name"),
        ("ksnet", "buyer_name"),
        ("welcome", "buyer_name"),
    ],
)
def test_v1_accounts_need_what_the_company_needs(
    client: Client, company: str, missing: str
) -> None:
    behind(client, company)
    code = "88" if company == "inicis" else "088"
    path = f"/vbanks?pg_api_key={client.keys['v1']['pg_api_key']}"
    order = _issue(client, vbank_code=code, merchant_uid="order001")
    without = {name: value for name, value in order.items() if name != missing}
    answer = client.v1("POST", path, without).json()
    assert answer["code"] == 1
    assert missing in answer["message"]
    client.v1_ok("POST", path, order)


@pytest.mark.parametrize("company", ["kcp", "kiwoom", "tosspay"])
def test_some_companies_issue_no_account_by_v1s_api(client: Client, company: str) -> None:
    behind(client, company)
    answer = client.v1("POST", "/vbanks", _issue(client, vbank_code="BK88")).json()
    assert answer["code"] == 1


@pytest.mark.parametrize("company", ["nice", "ksnet", "smartro"])
def test_an_account_in_a_window_needs_its_due_time(client: Client, company: str) -> None:
    behind(client, company)
    assert "입금 기한" in window(client, "V1", 409, pay_method="vbank")["detail"]
    window(client, "V1", pay_method="vbank", vbank_due="20991231")
    behind(client, company, "V2")
    account = {"accountExpiry": {"validHours": 24}}
    more: Json = {"payMethod": "VIRTUAL_ACCOUNT", "paymentId": "order002"}
    window(client, "V2", 409, **more)
    window(client, "V2", **more, virtualAccount=account)


def test_a_company_has_accounts_at_some_banks_only(client: Client) -> None:
    behind(client, "smartro", "V2")
    order = instant(client, VIRTUAL_ACCOUNT, customer={"phoneNumber": "010-1234-5678"})
    order["method"] = {"virtualAccount": {**VIRTUAL_ACCOUNT["virtualAccount"], "bank": "K_BANK"}}
    answer = client.v2("POST", "/payments/order001/instant", order)
    assert (answer.status_code, answer.json()["pgCode"]) == (502, "SANDBOX_BANK")
    order["method"] = VIRTUAL_ACCOUNT
    client.v2_ok("POST", "/payments/order001/instant", order)
    # A buyer at the window is offered its banks alone.
    key = behind(client, "nice")
    params = {"merchant_uid": "order002", "amount": 1000, "pay_method": "vbank", "name": "양말"}
    call = {
        "code": client.keys["v1"]["imp_code"],
        "params": {**params, "channelKey": key, "vbank_due": "20991231"},
    }
    opened = client.http.post("/checkout/v1", json=call).json()
    page = client.http.get(f"/{opened['window']}").text
    assert 'value="SHINHAN"' in page
    assert 'value="KAKAO"' not in page
    window_of = {"payment_id": opened["txId"], "bank": "KAKAO"}
    client.control("POST", "pay", window_of, 409)


def _issue(client: Client, **more: object) -> Json:
    due = client.control("POST", "clock", {"advance": 86400})["now"]
    client.control("POST", "clock", {"advance": -86400})
    client._token = None
    return {
        "channel_key": client.keys["v1"]["channel_key"],
        "merchant_uid": "order001",
        "amount": 1000,
        "vbank_due": _unix(due),
        **ISSUE,
        **more,
    }


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


# ── refunds ──


def deposited(client: Client, version: str) -> None:
    """A deposit into an account, whoever is behind the channel later."""
    if version == "V1":
        number = client.v1_account("order001")["vbank_num"]
    else:
        client.v2_ok("POST", "/payments/order001/instant", instant(client, VIRTUAL_ACCOUNT))
        number = client.v2_ok("GET", "/payments/order001")["method"]["accountNumber"]
    client.control("POST", "deposit", {"account_number": number, "amount": 1000})


def v1_refund(client: Client, **more: object) -> Json:
    body = {
        "merchant_uid": "order001",
        "amount": 100,
        "refund_bank": "088",
        "refund_account": "110123456789",
        "refund_holder": "홍길동",
        **more,
    }
    shown: Json = client.v1("POST", "/payments/cancel", body).json()
    return shown


OWN_CODES = {"inicis": "88", "kcp": "BK88", "kiwoom": "10", "ksnet": "088", "nice": "088"}


@pytest.mark.parametrize("company", sorted(OWN_CODES))
def test_v1_refunds_by_a_companys_own_bank_codes(client: Client, company: str) -> None:
    deposited(client, "V1")
    behind(client, company)
    for code in ("88", "088", "BK88", "10"):
        answer = v1_refund(client, refund_bank=code)
        assert (answer["code"] == 0) == (code == OWN_CODES[company]), answer


@pytest.mark.parametrize("number", ["110-123-456789", "１１０１２３４５６７８９", "110 123", "12"])
def test_a_refund_account_is_digits(client: Client, number: str) -> None:
    deposited(client, "V1")
    behind(client, "nice")
    assert v1_refund(client, refund_account=number)["code"] == 1
    client.control("POST", "reset", status=204)
    deposited(client, "V2")
    behind(client, "nice", "V2")
    account = {"bank": "SHINHAN", "number": number, "holderName": "홍길동"}
    body = {"reason": "변심", "refundAccount": account}
    answer = client.v2("POST", "/payments/order001/cancel", body)
    assert (answer.status_code, answer.json()["pgCode"]) == (502, "SANDBOX_REFUND_ACCOUNT")
    account["number"] = "110123456789"
    client.v2_ok("POST", "/payments/order001/cancel", body)


def test_smartro_takes_a_refund_up_and_reports_its_end(client: Client, receiver: Receiver) -> None:
    deposited(client, "V2")
    behind(client, "smartro", "V2")
    account = {"bank": "SHINHAN", "number": "110123456789", "holderName": "홍길동"}
    body = {"reason": "변심", "refundAccount": account}
    answer = client.v2("POST", "/payments/order001/cancel", body)
    assert answer.json()["pgCode"] == "SANDBOX_REFUND_PHONE"
    body["refundAccount"] = account | {"holderPhoneNumber": "01012345678"}
    shown = client.v2_ok("POST", "/payments/order001/cancel", body)
    assert shown["cancellation"]["status"] == "REQUESTED"
    client.control("POST", "cancellations", {"payment_id": "order001"})
    client.settle()
    assert "Transaction.Cancelled" in receiver.received[-1].body


def test_smartro_tells_v1_when_it_has_refunded(client: Client, receiver: Receiver) -> None:
    deposited(client, "V1")
    behind(client, "smartro")
    answer = v1_refund(client, amount=0, refund_tel="01012345678")
    assert (answer["code"], answer["response"]["cancel_amount"]) == (0, 0)
    client.control("POST", "cancellations", {"payment_id": "order001"})
    client.settle()
    assert '"cancelled"' in receiver.received[-1].body
    assert client.v1_ok("GET", "/payments/find/order001")["cancel_amount"] == 1000


def test_ksnet_cancels_in_nine_parts_at_most(client: Client) -> None:
    client.v2_paid("order001")
    behind(client, "ksnet", "V2")
    body = {"reason": "변심", "amount": 1}
    for _ in range(9):
        client.v2_ok("POST", "/payments/order001/cancel", body)
    answer = client.v2("POST", "/payments/order001/cancel", {"reason": "변심"})
    assert (answer.status_code, answer.json()["pgCode"]) == (502, "SANDBOX_CANCEL_COUNT")


@pytest.mark.parametrize(("company", "days"), [("ksnet", 183), ("inicis", 365)])
def test_a_card_can_be_cancelled_for_so_long(client: Client, company: str, days: int) -> None:
    client.v1_paid("order001")
    behind(client, company)
    client.advance(hours=24 * days - 1)
    body = {"merchant_uid": "order001", "amount": 1}
    client.v1_ok("POST", "/payments/cancel", body)
    client.advance(hours=2)
    assert client.v1("POST", "/payments/cancel", body).json()["code"] == 1


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_test_payment_cancelled_at_night_is_still_paid_in_the_record(
    client: Client, version: str
) -> None:
    client.set(company_cancels_tests=True)
    client.control("POST", "clock", {"at": "2030-01-01T23:00:00+09:00"})
    client._token = None
    for company, cancels in (("tosspayments", False), ("inicis", True)):
        behind(client, company, version)
        order_id = f"order{company}"
        if version == "V1":
            client.v1_paid(order_id)
        else:
            client.v2_paid(order_id)
        assert _can_cancel(client, version, order_id)
        client.advance(minutes=31)
        assert _can_cancel(client, version, order_id) != cancels
        client.advance(minutes=-31)
    (_, shown) = client.control("GET", "payments")["items"]
    assert (shown["status"], shown["cancelled"]) == ("PARTIAL_CANCELLED", 1)


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_companys_own_console_is_not_synchronised(
    client: Client, receiver: Receiver, version: str
) -> None:
    if version == "V1":
        client.v1_paid("order001")
    else:
        client.v2_paid("order001")
    client.settle()
    before = len(receiver.received)
    there = {"payment_id": "order001", "amount": 600, "console": "company"}
    shown = client.control("POST", "cancel", there)
    assert (shown["cancelled"], shown["status"]) == (0, "PAID")
    client.settle()
    assert len(receiver.received) == before
    assert _can_cancel(client, version, "order001", 400)
    assert not _can_cancel(client, version, "order001", 1)
    client.control("POST", "cancel", {"payment_id": "order001"}, 409)
    client.control("POST", "cancel", {**there, "amount": None}, 409)


def _can_cancel(client: Client, version: str, order_id: str, amount: int = 1) -> bool:
    if version == "V1":
        body: Json = {"merchant_uid": order_id, "amount": amount}
        answer = client.v1("POST", "/payments/cancel", body).json()
        assert answer["code"] == 0 or "기 취소" in answer["message"]
        return bool(answer["code"] == 0)
    body = {"reason": "변심", "amount": amount}
    response = client.v2("POST", f"/payments/{order_id}/cancel", body)
    assert response.status_code == 200 or response.json()["type"] == "PG_PROVIDER"
    return response.status_code == 200
