"""Every fault a test may ask for."""

from pathlib import Path
from typing import get_args

import httpx
import msgspec
import pytest

import portone_sandbox
from portone_sandbox.core.faults import FaultRule, GatewayFault, WebhookFault

from .client import Client
from .process import Receiver


def cancel_amount(client: Client) -> int:
    """What was given back of order-1."""
    return int(client.v1_ok("GET", "/payments/find/order-1")["cancel_amount"])


@pytest.mark.parametrize(("fault", "given_back"), [("timeout_before", 0), ("timeout_after", 400)])
def test_a_cut_line_hides_whether_the_cancel_happened(
    client: Client, fault: str, given_back: int
) -> None:
    client.v1_paid("order-1")
    client.fault(fault, version="V1", method="POST", path="/payments/cancel")
    with pytest.raises(httpx.TransportError):
        client.v1("POST", "/payments/cancel", {"merchant_uid": "order-1", "amount": 400})
    assert cancel_amount(client) == given_back
    client.v1_ok("POST", "/payments/cancel", {"merchant_uid": "order-1", "amount": 1})


@pytest.mark.parametrize(("fault", "status"), [("error_500", 500), ("error_429", 429)])
def test_asked_errors_come_as_often_as_asked(client: Client, fault: str, status: int) -> None:
    client.fault(fault, times=2, path="/payments/*")
    seen = [client.v1("GET", "/payments/find/nobody").status_code for _ in range(3)]
    assert seen == [status, status, 404]
    assert client.control("GET", "faults")["items"] == []


def test_garbage_is_no_json_though_the_call_was_carried_out(client: Client) -> None:
    client.v1_paid("order-1")
    client.fault("garbage", version="v1", path="/payments/cancel")
    answer = client.v1("POST", "/payments/cancel", {"merchant_uid": "order-1", "amount": 400})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert cancel_amount(client) == 400


def test_a_slow_answer_comes_late(client: Client) -> None:
    client.fault("slow", seconds=0.2, path="/payments")
    answer = client.v1("GET", "/payments/find/nobody")
    assert answer.elapsed.total_seconds() >= 0.2


def test_faults_hit_only_what_they_match_and_can_be_deleted(client: Client) -> None:
    client.fault("error_500", times=None, version="V2")
    client.fault("error_500", times=None, method="DELETE")
    assert client.v1("GET", "/payments/find/nobody").status_code == 404
    client.control("DELETE", "faults", status=204)
    assert client.control("GET", "faults")["items"] == []


def statuses(receiver: Receiver) -> list[str]:
    """What the receiver was told, in order."""
    words = ("paid", "cancelled")
    return [next(w for w in words if f'"{w}"' in got.body) for got in receiver.received]


def test_a_dropped_webhook_is_logged_but_never_sent(client: Client, receiver: Receiver) -> None:
    client.fault("drop")
    client.v1_paid("order-1")
    assert [send["state"] for send in client.sends()] == ["dropped"]
    assert receiver.received == []


def test_a_duplicated_webhook_comes_twice(client: Client, receiver: Receiver) -> None:
    client.fault("duplicate", event="paid")
    client.v1_paid("order-1")
    client.settle()
    assert statuses(receiver) == ["paid", "paid"]
    assert receiver.received[0].body == receiver.received[1].body


def test_a_delayed_webhook_waits_for_the_sandbox_clock(client: Client, receiver: Receiver) -> None:
    client.fault("delay", seconds=3600)
    client.v1_paid("order-1")
    client.settle()
    assert receiver.received == []
    client.advance(hours=1)
    client.settle()
    assert statuses(receiver) == ["paid"]


def test_reordered_webhooks_swap_places(client: Client, receiver: Receiver) -> None:
    client.fault("reorder")
    client.v1_paid("order-1")
    client.control("POST", "cancel", {"payment_id": "order-1"})
    client.settle()
    assert statuses(receiver) == ["cancelled", "paid"]


def test_a_forged_webhook_tells_of_a_payment_that_never_was(
    client: Client, receiver: Receiver
) -> None:
    client.fault("forge")
    imp_uid = client.v1_paid("order-1")
    client.settle()
    forged, true = receiver.received
    assert "imp_000000000000" in forged.body
    assert imp_uid in true.body


def test_a_rate_limit_is_a_switch(client: Client) -> None:
    assert client.token
    client.set(rate_limit_per_second=1)
    seen = {client.v1("GET", "/payments/find/nobody").status_code for _ in range(8)}
    assert seen == {404, 429}


def test_the_logs_come_in_pages(client: Client, receiver: Receiver) -> None:
    for number in range(3):
        client.v1_paid(f"order-{number}")
    for kind in ("payments", "webhooks"):
        first = client.control("GET", f"{kind}?limit=2")
        rest = client.control("GET", f"{kind}?limit=2&cursor={first['next_cursor']}")
        seen = [item["order_id"] for item in first["items"] + rest["items"]]
        assert (seen, rest["next_cursor"]) == (["order-0", "order-1", "order-2"], None)
    only = client.control("GET", "payments?payment_id=order-1")
    assert [p["order_id"] for p in only["items"]] == [o["id"] for o in only["orders"]]


def test_a_webhook_to_nowhere_is_logged_as_such(client: Client) -> None:
    client.v1_paid("order-1", notice_urls=["not a url", "ftp://127.0.0.1/", "http://[/"])
    assert [send["state"] for send in client.sends()] == ["failed"] * 3
    assert all(send["attempts"][0]["error"] for send in client.sends())


@pytest.mark.parametrize("fault", ["error_500", "error_429"])
def test_an_asked_error_has_its_versions_own_form(client: Client, fault: str) -> None:
    assert client.token
    client.fault(fault, times=2)
    v1 = client.v1("GET", "/payments/find/nobody").json()
    v2 = client.v2("GET", "/payments/nobody").json()
    assert (v1["code"], v1["response"], set(v1)) == (-1, None, {"code", "message", "response"})
    assert set(v2) == {"type", "message"}
    assert v1["message"] == v2["message"]


def test_a_rate_limit_has_its_versions_own_form(client: Client) -> None:
    assert client.token
    client.set(rate_limit_per_second=1)
    seen = [client.v1("GET", "/payments/find/nobody") for _ in range(8)]
    (limited, *_) = [answer.json() for answer in seen if answer.status_code == 429]
    assert set(limited) == {"code", "message", "response"}


def refuse(client: Client, version: str, path: str, **more: object) -> None:
    """A company that refuses without end."""
    rule = {"fault": "refuse", "times": None, "match": {"version": version, "path": path}, **more}
    client.control("POST", "faults", rule, 201)


def test_v1_refusals_are_200_with_a_code_and_a_message(client: Client) -> None:
    client.v1_paid("order-1")
    refuse(client, "V1", "/payments/cancel", code=-7, message="PG사 응답시간 초과")
    answer = client.v1("POST", "/payments/cancel", {"merchant_uid": "order-1"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"code": -7, "message": "PG사 응답시간 초과", "response": None},
    )
    assert cancel_amount(client) == 0


@pytest.mark.parametrize("effect", [False, True])
def test_a_refusal_may_hide_that_the_company_did_it(client: Client, effect: bool) -> None:
    client.v1_paid("order-1")
    refuse(client, "V1", "/payments/cancel", effect=effect)
    client.v1("POST", "/payments/cancel", {"merchant_uid": "order-1", "amount": 400})
    assert cancel_amount(client) == (400 if effect else 0)


def test_after_a_lost_answer_a_company_can_refuse_for_ever(client: Client) -> None:
    client.v2_paid("order-1")
    path = "/payments/*/cancel"
    client.fault("timeout_before", version="V2", path=path)
    refuse(client, "V2", path, pg_code="9999", pg_message="원거래 없음")
    body = {"reason": "변심", "amount": 300}
    with pytest.raises(httpx.TransportError):
        client.v2("POST", "/payments/order-1/cancel", body)
    for _ in range(3):
        answer = client.v2("POST", "/payments/order-1/cancel", body)
        shown = answer.json()
        assert (answer.status_code, shown["type"]) == (502, "PG_PROVIDER")
        assert (shown["pgCode"], shown["pgMessage"]) == ("9999", "원거래 없음")
    assert "cancellations" not in client.v2_ok("GET", "/payments/order-1")


def test_one_path_can_be_slow_and_the_others_not(client: Client) -> None:
    client.v2_paid("order-1")
    client.fault("slow", times=None, seconds=0.3, version="V2", method="GET", path="/payments/")
    assert client.v2("GET", "/payments/order-1").elapsed.total_seconds() >= 0.3
    quick = client.v2("POST", "/payments/order-1/cancel", {"reason": "변심"})
    assert (quick.status_code, quick.elapsed.total_seconds() < 0.3) == (200, True)


def test_the_readme_names_every_fault_and_what_it_takes() -> None:
    readme = Path(portone_sandbox.__file__).with_name("README.md").read_text("utf-8")
    faults = [*get_args(GatewayFault), *get_args(WebhookFault)]
    fields = {f.name for f in msgspec.structs.fields(FaultRule)} - {"id", "hits", "fault"}
    for word in faults:
        assert f"`{word}`" in readme
    for word in fields:
        assert f"`{word}`" in readme or f'"{word}"' in readme
