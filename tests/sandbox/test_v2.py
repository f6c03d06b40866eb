"""V2 as a merchant's server and a buyer meet it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from .client import Client, Json

VIRTUAL_ACCOUNT = {
    "virtualAccount": {
        "bank": "SHINHAN",
        "expiry": {"validHours": 24},
        "option": {"type": "NORMAL"},
        "remitteeName": "마켓",
    }
}
CARD = {
    "card": {"credential": {"number": "4111111111111111", "expiryYear": "30", "expiryMonth": "12"}}
}
DECLINED = {
    "card": {"credential": {"number": "4111111111110002", "expiryYear": "30", "expiryMonth": "12"}}
}
REFUND_ACCOUNT = {"bank": "KOOKMIN", "number": "123", "holderName": "홍길동"}


def instant(client: Client, method: Json, amount: int = 1000, **more: object) -> Json:
    """The body of an instant payment."""
    return {
        "channelKey": client.keys["v2"]["channel_key"],
        "method": method,
        "orderName": "양말",
        "amount": {"total": amount},
        "currency": "KRW",
        **more,
    }


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and type of a refusal."""
    return answer.status_code, answer.json()["type"]


def test_a_paid_payment_is_seen_with_its_parts(client: Client) -> None:
    result = client.v2_paid("order-1", 1100)
    assert result["transactionType"] == "PAYMENT"
    assert "code" not in result
    shown = client.v2_ok("GET", "/payments/order-1")
    assert (shown["status"], shown["transactionId"]) == ("PAID", result["txId"])
    assert shown["amount"] == {
        "total": 1100,
        "taxFree": 0,
        "vat": 100,
        "supply": 1000,
        "discount": 0,
        "paid": 1100,
        "cancelled": 0,
        "cancelledTaxFree": 0,
    }
    assert (shown["channel"]["type"], shown["method"]["type"]) == ("TEST", "PaymentMethodCard")


def test_failed_and_left_windows_are_attempts_of_one_payment(client: Client) -> None:
    client.v2_ok("POST", "/payments/order-1/pre-register", {"totalAmount": 1000, "currency": "KRW"})
    assert refused(client.v2("GET", "/payments/order-1")) == (404, "PAYMENT_NOT_FOUND")
    assert client.pay("order-1", outcome="failed")["code"] == "PGProviderError"
    assert client.v2_ok("GET", "/payments/order-1")["failure"]["pgMessage"] == "한도초과"
    client.pay("order-1", outcome="abandoned")
    client.pay("order-1")
    attempts = client.v2_ok("GET", "/payments/order-1/transactions")["items"]
    assert [a["status"] for a in attempts] == ["PAID", "READY", "FAILED"]
    body = {"totalAmount": 5}
    assert refused(client.v2("POST", "/payments/order-1/pre-register", body)) == (
        409,
        "ALREADY_PAID",
    )


def test_a_preregistered_payment_can_be_shown_by_a_switch(client: Client) -> None:
    client.set(v2_preregistered_lookup=True)
    client.v2_ok("POST", "/payments/order-1/pre-register", {"totalAmount": 1000, "currency": "KRW"})
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "READY"


def test_both_credentials_open_the_door_and_refresh_kills_the_older_pair(client: Client) -> None:
    secret = {"apiSecret": client.keys["v2"]["api_secret"]}
    pair = client.http.post("/v2/login/api-secret", json=secret).json()
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    assert client.http.get("/v2/payments/none", headers=bearer).status_code == 404
    renewal = {"refreshToken": pair["refreshToken"]}
    newer = client.http.post("/v2/token/refresh", json=renewal)
    assert newer.status_code == 200
    again = client.http.post("/v2/token/refresh", json=renewal)
    assert refused(again) == (401, "UNAUTHORIZED")
    client.advance(minutes=31)
    assert client.http.get("/v2/payments/none", headers=bearer).status_code == 401
    assert refused(client.http.post("/v2/login/api-secret", json={"apiSecret": "x"})) == (
        401,
        "UNAUTHORIZED",
    )


def test_cancels_believe_nothing_but_the_balance(client: Client) -> None:
    client.v2_paid("order-1", 1000)

    def cancel(**body: object) -> httpx.Response:
        return client.v2("POST", "/payments/order-1/cancel", {"reason": "변심", **body})

    assert refused(cancel(currentCancellableAmount=999)) == (
        409,
        "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
    )
    first = cancel(amount=300, currentCancellableAmount=1000).json()["cancellation"]
    assert (first["status"], first["totalAmount"], first["trigger"]) == ("SUCCEEDED", 300, "API")
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "PARTIAL_CANCELLED"
    assert refused(cancel(amount=701)) == (409, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
    assert refused(cancel(amount=10, vatAmount=11)) == (409, "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT")
    assert refused(cancel(amount=10, taxFreeAmount=1)) == (
        409,
        "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT",
    )
    client.set(v2_max_cancels=1)
    assert refused(cancel(amount=1)) == (409, "MAX_CANCEL_COUNT_REACHED")
    client.set(v2_max_cancels=100)
    assert cancel().json()["cancellation"]["totalAmount"] == 700
    assert refused(cancel()) == (409, "PAYMENT_ALREADY_CANCELLED")


def test_tax_free_parts_are_counted_apart(client: Client) -> None:
    body = instant(client, CARD, amount=1000) | {"amount": {"total": 1000, "taxFree": 400}}
    client.v2_ok("POST", "/payments/order-1/instant", body)

    def cancel(**more: object) -> httpx.Response:
        return client.v2("POST", "/payments/order-1/cancel", {"reason": "변심", **more})

    assert refused(cancel(amount=700)) == (409, "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT")
    assert cancel(amount=500, taxFreeAmount=400).status_code == 200
    assert cancel().json()["cancellation"]["taxFreeAmount"] == 0


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_an_asynchronous_cancel_holds_its_amount_until_it_ends(client: Client, end: str) -> None:
    client.set(v2_cancel_mode="async")
    client.v2_paid("order-1", 1000)
    body = {"reason": "변심", "amount": 600}
    asked = client.v2_ok("POST", "/payments/order-1/cancel", body)["cancellation"]
    assert asked["status"] == "REQUESTED"
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "PAID"
    again = client.v2("POST", "/payments/order-1/cancel", body)
    assert refused(again) == (409, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
    order = {"payment_id": "order-1", "outcome": end, "cancellation_id": asked["id"]}
    client.control("POST", "cancellations", order)
    shown = client.v2_ok("GET", "/payments/order-1")
    expected = ("PARTIAL_CANCELLED", 600) if end == "succeeded" else ("PAID", 0)
    assert (shown["status"], shown["amount"]["cancelled"]) == expected
    assert shown["cancellations"][0]["status"] == end.upper()


def test_a_cancel_can_fail_though_the_call_succeeds(client: Client) -> None:
    client.set(v2_cancel_mode="fail")
    client.v2_paid("order-1")
    answer = client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심"})
    assert answer["cancellation"]["status"] == "FAILED"
    assert client.v2_ok("GET", "/payments/order-1")["amount"]["cancelled"] == 0


def test_cards_pay_instantly_or_are_declined(client: Client) -> None:
    answer = client.v2("POST", "/payments/order-1/instant", instant(client, DECLINED))
    assert refused(answer) == (502, "PG_PROVIDER")
    assert answer.json()["pgMessage"] == "한도초과"
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "FAILED"
    paid = client.v2_ok("POST", "/payments/order-1/instant", instant(client, CARD))
    assert paid["payment"]["pgTxId"]
    again = client.v2("POST", "/payments/order-1/instant", instant(client, CARD))
    assert refused(again) == (409, "ALREADY_PAID")


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"channelKey": "nope"}, 404, "CHANNEL_NOT_FOUND"),
        ({"channelKey": None, "channelGroupId": "nope"}, 404, "CHANNEL_NOT_FOUND"),
        ({"channelKey": None}, 400, "INVALID_REQUEST"),
        ({"storeId": "another"}, 403, "FORBIDDEN"),
        ({"amount": {"total": 10, "taxFree": 11}}, 409, "SUM_OF_PARTS_EXCEEDS_TOTAL_AMOUNT"),
        ({"method": {}}, 400, "INVALID_REQUEST"),
        ({"currency": 1}, 400, "INVALID_REQUEST"),
    ],
)
def test_instant_payments_are_refused_with_their_type(
    client: Client, change: Json, status: int, kind: str
) -> None:
    body = instant(client, CARD) | change
    assert refused(client.v2("POST", "/payments/order-1/instant", body)) == (status, kind)


def test_a_virtual_account_waits_is_paid_and_refunded_to_an_account(client: Client) -> None:
    client.v2_ok("POST", "/payments/order-1/instant", instant(client, VIRTUAL_ACCOUNT))
    issued = client.v2_ok("GET", "/payments/order-1")
    assert (issued["status"], issued["method"]["bank"]) == ("VIRTUAL_ACCOUNT_ISSUED", "SHINHAN")
    number = issued["method"]["accountNumber"]
    client.control("POST", "deposit", {"account_number": number, "amount": 999}, 409)
    client.control("POST", "deposit", {"account_number": number, "amount": 1000})
    assert client.v2_ok("GET", "/payments/order-1")["method"]["remitterName"] == "홍길동"
    bare = client.v2("POST", "/payments/order-1/cancel", {"reason": "변심"})
    assert refused(bare) == (400, "INVALID_REQUEST")
    body = {"reason": "변심", "refundAccount": REFUND_ACCOUNT}
    client.v2_ok("POST", "/payments/order-1/cancel", body)
    assert client.v2_ok("GET", "/payments/order-1")["method"]["refundStatus"] == "PENDING"
    client.advance(hours=25)
    assert client.v2_ok("GET", "/payments/order-1")["method"]["refundStatus"] == "COMPLETED"


@pytest.mark.parametrize("after", ["FAILED", "VIRTUAL_ACCOUNT_ISSUED"])
def test_an_account_closes_before_its_deposit_alone(client: Client, after: str) -> None:
    client.set(v2_closed_account=after)
    client.v2_ok("POST", "/payments/order-1/instant", instant(client, VIRTUAL_ACCOUNT))
    number = client.v2_ok("GET", "/payments/order-1")["method"]["accountNumber"]
    assert client.v2_ok("POST", "/payments/order-1/virtual-account/close")["closedAt"]
    assert client.v2_ok("GET", "/payments/order-1")["status"] == after
    client.control("POST", "deposit", {"account_number": number, "amount": 1000}, 409)
    again = client.v2("POST", "/payments/order-1/virtual-account/close")
    assert refused(again) == (409, "PAYMENT_NOT_WAITING_FOR_DEPOSIT")


def manual(client: Client) -> Json:
    """A payment that the buyer authenticated on a channel with manual approval."""
    client.v2_ok("POST", "/payments/order-1/pre-register", {"totalAmount": 1000, "currency": "KRW"})
    return client.pay("order-1", channel_key="channel-key-sandbox-v2-manual")


def test_manual_approval_charges_only_what_is_confirmed(client: Client) -> None:
    result = manual(client)
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "READY"

    def confirm(**body: object) -> httpx.Response:
        token = {"paymentToken": result["paymentToken"]}
        return client.v2("POST", "/payments/order-1/confirm", {**token, **body})

    for wrong in ({"totalAmount": 999}, {"currency": "USD"}, {"isTest": False}, {"txId": "x"}):
        assert refused(confirm(**wrong)) == (409, "INFORMATION_MISMATCH")
    assert refused(confirm(paymentToken="x")) == (400, "INVALID_PAYMENT_TOKEN")
    right: dict[str, Any] = {"totalAmount": 1000, "currency": "KRW", "isTest": True}
    assert confirm(**right).json()["pgTxId"]
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "PAID"
    assert refused(confirm()) == (409, "ALREADY_PAID")
    body = {"paymentToken": "x"}
    unknown = client.v2("POST", "/payments/none/confirm", body)
    assert refused(unknown) == (404, "PAYMENT_NOT_FOUND")


def test_lists_filter_page_and_go_on_from_a_cursor(client: Client) -> None:
    for number in range(5):
        client.v2_paid(f"order-{number}")
    client.v2_ok("POST", "/payments/order-0/cancel", {"reason": "변심"})
    query = '{"page":{"number":1,"size":2},"filter":{"status":["PAID"],"sortOrder":"ASC"}}'
    page = client.v2_ok("GET", "/payments", params={"requestBody": query})
    assert [item["id"] for item in page["items"]] == ["order-3", "order-4"]
    assert page["page"] == {"number": 1, "size": 2, "totalCount": 4}
    seen: list[str] = []
    body: Json = {"size": 2}
    while items := client.v2_ok("GET", "/payments-by-cursor", body)["items"]:
        seen += [item["payment"]["id"] for item in items]
        body["cursor"] = items[-1]["cursor"]
    assert seen == [f"order-{number}" for number in range(5)]
    bad = client.v2("GET", "/payments", params={"requestBody": "{"})
    assert refused(bad) == (400, "INVALID_REQUEST")


def test_ids_arrive_percent_encoded(client: Client) -> None:
    client.v2_ok("POST", "/payments/a%2Fb%20c/pre-register", {"totalAmount": 5, "currency": "KRW"})
    client.pay("a/b c")
    assert client.v2_ok("GET", "/payments/a%2Fb%20c")["id"] == "a/b c"
    client.v1_paid("d/e f")
    for path in ("/payments/prepare", "/payments/find"):
        assert client.v1_ok("GET", f"{path}/d%2Fe%20f")["merchant_uid"] == "d/e f"


def test_a_key_gets_the_old_answer_for_three_hours(client: Client) -> None:
    client.v2_paid("order-1")

    def cancel(key: str) -> httpx.Response:
        body = {"reason": "변심", "amount": 100}
        headers = {"Idempotency-Key": key}
        return client.v2("POST", "/payments/order-1/cancel", body, headers=headers)

    key = '"0123456789abcdef"'
    first = cancel(key)
    client.advance(hours=2, minutes=59)
    assert cancel(key).content == first.content
    assert client.v2_ok("GET", "/payments/order-1")["amount"]["cancelled"] == 100
    client.advance(minutes=2)
    assert cancel(key).content != first.content
    for bad in ("0123456789abcdef", '"short"'):
        assert refused(cancel(bad)) == (400, "INVALID_REQUEST")


def test_a_key_whose_request_still_runs_is_told_to_wait(client: Client) -> None:
    client.v2_paid("order-1")
    headers = {"Idempotency-Key": '"0123456789abcdef"'}

    def cancel() -> int:
        body = {"reason": "변심", "amount": 100}
        answer = client.v2("POST", "/payments/order-1/cancel", body, headers=headers)
        return answer.status_code

    client.fault("slow", seconds=0.5, path="/payments/order-1/cancel")
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(lambda _: cancel(), range(2)))
    assert codes == [200, 409]
    assert client.v2_ok("GET", "/payments/order-1")["amount"]["cancelled"] == 100


def test_after_a_cut_line_the_same_key_tells_the_outcome(client: Client) -> None:
    client.v2_paid("order-1")
    headers = {"Idempotency-Key": '"0123456789abcdef"'}
    body = {"reason": "변심", "amount": 100}
    client.fault("timeout_after", path="/payments/order-1/cancel")
    with pytest.raises(httpx.TransportError):
        client.v2("POST", "/payments/order-1/cancel", body, headers=headers)
    told = client.v2_ok("POST", "/payments/order-1/cancel", body, headers=headers)
    assert told["cancellation"]["totalAmount"] == 100
    assert client.v2_ok("GET", "/payments/order-1")["amount"]["cancelled"] == 100
