"""V1's lists: bulk, by status, by order, and the balance."""

from datetime import datetime

import pytest

from .client import Client


def test_bulk_is_207_when_some_ids_are_unknown(client: Client) -> None:
    known = [client.v1_paid(f"order-{number}") for number in range(2)]

    def look(*imp_uids: str, merchant_uids: tuple[str, ...] = ()) -> tuple[int, int]:
        params = {"imp_uid[]": list(imp_uids), "merchant_uid[]": list(merchant_uids)}
        answer = client.v1("GET", "/payments", params=params)
        return answer.status_code, len(answer.json()["response"])

    assert look(*known) == (200, 2)
    assert look(*known, "imp_0") == (207, 2)
    assert look("imp_0") == (404, 0)
    assert look(merchant_uids=("order-1", "none")) == (207, 1)
    assert client.v1("GET", "/payments", params={"imp_uid[]": ["x"] * 101}).json()["code"] == 1


def test_lists_by_status_keep_to_ninety_days_and_their_pages(client: Client) -> None:
    for number in range(3):
        client.v1_paid(f"order-{number}")
    now = int(datetime.fromisoformat(client.control("GET", "clock")["now"]).timestamp())

    def look(word: str = "paid", since: int | None = None, **params: int) -> tuple[int, list[str]]:
        if since is not None:
            params["from"] = since
        answer = client.v1("GET", f"/payments/status/{word}", params=params)
        response = answer.json()["response"]
        uids = [p["merchant_uid"] for p in response["list"]] if response else []
        return answer.status_code, uids

    assert look() == (200, ["order-2", "order-1", "order-0"])
    assert look(limit=2, page=2) == (200, ["order-0"])
    assert look("all", limit=1)[1] == ["order-2"]
    assert look("failed") == (200, [])
    assert look("nonsense")[0] == 400
    assert look(page=9)[0] == 400
    assert look(since=now - 91 * 86400, to=now)[0] == 400
    assert look(since=now - 90 * 86400, to=now - 60) == (200, [])
    client.advance(hours=24 * 91)
    assert look() == (200, [])


def test_find_all_knows_its_statuses_and_orders(client: Client) -> None:
    client.v1_paid("order-1")
    assert client.v1("GET", "/payments/findAll/order-1/nonsense").status_code == 400
    assert client.v1("GET", "/payments/find/order-1/nonsense").status_code == 404
    assert client.v1("GET", "/payments/findAll/none").status_code == 404
    page = client.v1_ok("GET", "/payments/findAll/order-1/cancelled")
    assert page == {"total": 0, "previous": 0, "next": 0, "list": []}


def test_the_balance_tells_the_parts_that_are_left(client: Client) -> None:
    imp_uid = client.v1_paid("order-1", 1100)
    path = f"/payments/{imp_uid}/balance"
    body = {"imp_uid": imp_uid, "amount": 550, "vat_amount": 50}
    client.v1_ok("POST", "/payments/cancel", body)
    balance = client.v1_ok("GET", path)
    assert balance["amount"] == 1100
    assert balance["primary"] == {"tax_free": 0, "supply": 500, "vat": 50, "service": 0}
    assert [h["primary"]["vat"] for h in balance["histories"]] == [100, 50]
    assert client.v1("PUT", path).status_code == 405
    assert client.v1("GET", "/payments/imp_0/balance").status_code == 404


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [("banks", "088", "신한은행"), ("cards", "366", "신한카드")],
)
def test_codes_of_banks_and_card_companies(client: Client, kind: str, code: str, name: str) -> None:
    one = {"code": code, "name": name}
    assert client.v1_ok("GET", f"/{kind}/{code}") == one
    assert one in client.v1_ok("GET", f"/{kind}")
    unknown = client.v1("GET", f"/{kind}/0000")
    assert (unknown.status_code, unknown.json()["code"]) == (404, -1)
    at_root = client.http.get(f"/{kind}/{code}", headers={"X-ImpTokenHeader": client.token})
    assert at_root.json()["response"] == one


def test_empty_fields_are_left_out_or_null_by_a_switch(client: Client) -> None:
    client.v1_paid("order-1")
    assert "fail_reason" not in client.v1_ok("GET", "/payments/find/order-1")
    client.set(v1_empty_fields="null")
    client.http.event_hooks = {}  # the document has no word for null
    answer = client.v1("GET", "/payments/find/order-1").json()
    assert answer["message"] is None
    assert answer["response"]["fail_reason"] is None


def test_dollars_are_major_units_with_decimals(client: Client) -> None:
    body = {"merchant_uid": "order-1", "amount": 10.25, "currency": "USD"}
    client.v1_ok("POST", "/payments/prepare", body)
    client.pay("order-1")
    shown = client.v1_ok("GET", "/payments/find/order-1")
    assert (shown["amount"], shown["currency"]) == (10.25, "USD")
    partial = {"merchant_uid": "order-1", "amount": 0.2, "checksum": 10.25}
    assert client.v1_ok("POST", "/payments/cancel", partial)["cancel_amount"] == 0.2
    finer = {"merchant_uid": "order-1", "amount": 0.001}
    assert client.v1("POST", "/payments/cancel", finer).json()["code"] == 1
