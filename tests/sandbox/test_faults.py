"""Every fault a test may ask for."""

import httpx
import pytest

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
