"""Cancellations that end late, refunds into accounts, and what lists show of them."""

import json
from datetime import datetime

import pytest

from .client import Client, Json
from .process import Receiver
from .test_v2 import REFUND_ACCOUNT, VIRTUAL_ACCOUNT, instant
from .test_v2_webhooks import told


def cancel(client: Client, amount: int | None = None, **more: object) -> Json:
    """A V2 cancellation; answers it."""
    body = {"reason": "변심", **({"amount": amount} if amount else {}), **more}
    shown: Json = client.v2_ok("POST", "/payments/order-1/cancel", body)["cancellation"]
    return shown


def requested(client: Client, amount: int | None = None) -> Json:
    """A V2 payment with a cancellation that its company has only taken up."""
    client.v2_paid("order-1")
    client.set(v2_cancel_mode="async")
    shown = cancel(client, amount)
    assert shown["status"] == "REQUESTED"
    return shown


@pytest.mark.parametrize(("before", "word"), [(0, "Paid"), (100, "PartialCancelled")])
def test_a_requested_cancellation_that_fails_is_told(
    client: Client, receiver: Receiver, before: int, word: str
) -> None:
    client.v2_paid("order-1")
    if before:
        cancel(client, before)
    client.set(v2_cancel_mode="async")
    failing = cancel(client, 300)
    client.control("POST", "cancellations", {"payment_id": "order-1", "outcome": "failed"})
    shown = client.v2_ok("GET", "/payments/order-1")
    assert shown["amount"]["cancelled"] == before
    assert shown["cancellations"][-1]["status"] == "FAILED"
    assert "cancelledAt" not in shown["cancellations"][-1]
    client.settle()
    assert told(receiver)[-2:] == ["CancelPending", word]
    data = json.loads(receiver.received[-1].body)["data"]
    assert data["cancellationId"] == failing["id"]
    assert [w["trigger"] for w in shown["webhooks"] if w.get("isAsync")] == ["ASYNC_CANCEL_FAILED"]
    # Its amount is free again.
    client.set(v2_cancel_mode="sync")
    assert cancel(client)["totalAmount"] == 1000 - before


def test_whether_a_failed_cancellation_is_told_is_a_setting(
    client: Client, receiver: Receiver
) -> None:
    client.set(v2_failed_cancel_webhook=False)
    requested(client)
    client.control("POST", "cancellations", {"payment_id": "order-1", "outcome": "failed"})
    client.settle()
    assert told(receiver) == ["Ready", "Paid", "CancelPending"]


def test_several_requested_cancellations_end_each_by_its_id(client: Client) -> None:
    first = requested(client, 300)
    second = cancel(client, 200)
    assert client.v2("POST", "/payments/order-1/cancel", {"reason": "x", "amount": 501}).json()[
        "type"
    ] == ("CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT")
    for one, outcome in ((second, "succeeded"), (first, "failed")):
        body = {"payment_id": "order-1", "outcome": outcome, "cancellation_id": one["id"]}
        client.control("POST", "cancellations", body)
    shown = client.v2_ok("GET", "/payments/order-1")
    assert [c["status"] for c in shown["cancellations"]] == ["FAILED", "SUCCEEDED"]
    assert (shown["status"], shown["amount"]["cancelled"]) == ("PARTIAL_CANCELLED", 200)
    gone = {"payment_id": "order-1", "cancellation_id": first["id"]}
    client.control("POST", "cancellations", gone, 400)


def test_the_console_can_ask_for_a_cancellation_that_ends_later(client: Client) -> None:
    client.v2_paid("order-1")
    client.control("POST", "cancel", {"payment_id": "order-1", "mode": "async"})
    (one,) = client.v2_ok("GET", "/payments/order-1")["cancellations"]
    assert (one["status"], one["trigger"]) == ("REQUESTED", "CONSOLE")
    client.control("POST", "cancellations", {"payment_id": "order-1"})
    assert client.v2_ok("GET", "/payments/order-1")["status"] == "CANCELLED"


# ── refunds into the buyer's account ──


def refunded(client: Client, amount: int | None = None) -> None:
    """A deposit that goes back into an account."""
    client.v2_ok("POST", "/payments/order-1/instant", instant(client, VIRTUAL_ACCOUNT))
    number = client.v2_ok("GET", "/payments/order-1")["method"]["accountNumber"]
    client.control("POST", "deposit", {"account_number": number, "amount": 1000})
    cancel(client, amount, refundAccount=REFUND_ACCOUNT)


def refund_status(client: Client) -> str | None:
    """What V2 says of the refund."""
    status: str | None = client.v2_ok("GET", "/payments/order-1")["method"].get("refundStatus")
    return status


def test_an_account_refund_is_pending_until_the_next_day(client: Client) -> None:
    client.v2_ok("POST", "/payments/order-1/instant", instant(client, VIRTUAL_ACCOUNT))
    assert refund_status(client) is None
    client.control("POST", "reset", status=204)
    refunded(client)
    assert refund_status(client) == "PENDING"
    client.advance(hours=23)
    assert refund_status(client) == "PENDING"
    client.advance(hours=1)
    assert refund_status(client) == "COMPLETED"


@pytest.mark.parametrize("outcome", ["FAILED", "PARTIAL_REFUND_FAILED"])
def test_the_bank_can_fail_a_refund_and_a_test_can_mend_it(client: Client, outcome: str) -> None:
    client.set(account_refund_status=outcome, account_refund_seconds=60)
    refunded(client, 400)
    # A refund keeps the outcome of the setting at its time.
    client.set(account_refund_status="COMPLETED")
    client.advance(seconds=60)
    assert refund_status(client) == outcome
    client.control("POST", "refunds", {"payment_id": "order-1", "status": "COMPLETED"})
    assert refund_status(client) == "COMPLETED"


def test_a_refund_can_stay_pending_until_a_test_ends_it(client: Client) -> None:
    client.set(account_refund_status="PENDING")
    refunded(client, 400)
    client.advance(hours=24 * 30)
    assert refund_status(client) == "PENDING"
    client.control("POST", "refunds", {"payment_id": "order-1", "status": "FAILED"})
    assert refund_status(client) == "FAILED"
    # The next refund begins anew.
    cancel(client, 600, refundAccount=REFUND_ACCOUNT)
    assert refund_status(client) == "PENDING"
    (shown,) = client.control("GET", "payments")["items"]
    assert shown["account_refund_status"] == "PENDING"


def test_a_card_has_no_refund_to_end(client: Client) -> None:
    client.v2_paid("order-1")
    cancel(client)
    body = {"payment_id": "order-1", "status": "FAILED"}
    refusal = client.control("POST", "refunds", body, 409)
    assert refusal["code"] == "no_account_refund"
    client.control("POST", "refunds", {**body, "payment_id": "none"}, 404)


# ── the console, long after the payment and with every webhook lost ──


def v2_listed(client: Client, seconds: int, **more: object) -> list[str]:
    """The payments whose status changed within the last `seconds`, newest first."""
    now = client.control("GET", "clock")["now"]
    since = client.control("POST", "clock", {"advance": -seconds})["now"]
    client.control("POST", "clock", {"advance": seconds})
    body = {"filter": {"from": since, "until": now, **more}}
    items = client.v2_ok("GET", "/payments", params={"requestBody": json.dumps(body)})["items"]
    return [item["id"] for item in items]


def test_v2_lists_go_by_the_last_change_of_status_unless_asked(client: Client) -> None:
    client.v2_paid("order-1")
    client.advance(hours=24 * 10)
    client.control("POST", "cancel", {"payment_id": "order-1"})
    assert v2_listed(client, 3600) == ["order-1"]
    assert v2_listed(client, 3600, timestampType="STATUS_CHANGED_AT") == ["order-1"]
    assert v2_listed(client, 3600, timestampType="CREATED_AT") == []


@pytest.mark.parametrize(
    ("moves", "listed"),
    [("first", [True, False]), ("every", [True, True]), ("never", [False, False])],
)
def test_which_partial_cancel_moves_v2s_time_of_status_is_a_setting(
    client: Client, moves: str, listed: list[bool]
) -> None:
    client.set(v2_partial_cancel_moves_status_at=moves)
    client.v2_paid("order-1")
    seen = []
    for _ in range(2):
        client.advance(hours=24)
        client.control("POST", "cancel", {"payment_id": "order-1", "amount": 100})
        seen.append(v2_listed(client, 3600) == ["order-1"])
    assert seen == listed
    client.advance(hours=24)
    client.control("POST", "cancel", {"payment_id": "order-1"})
    assert v2_listed(client, 3600) == ["order-1"]


def test_the_first_partial_cancel_alone_moves_it_by_default(client: Client) -> None:
    client.v2_paid("order-1")
    client.advance(hours=24)
    client.control("POST", "cancel", {"payment_id": "order-1", "amount": 100})
    client.advance(hours=24)
    before = client.v2_ok("GET", "/payments/order-1")
    client.control("POST", "cancel", {"payment_id": "order-1", "amount": 100})
    after = client.v2_ok("GET", "/payments/order-1")
    assert after["statusChangedAt"] == before["statusChangedAt"]
    assert after["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_late_console_cancel_can_be_told_to_nobody(
    client: Client, receiver: Receiver, version: str
) -> None:
    client.fault("drop", times=None)
    if version == "V1":
        client.v1_paid("order-1")
    else:
        client.v2_paid("order-1")
    client.advance(hours=24 * 60)
    client.control("POST", "cancel", {"payment_id": "order-1", "amount": 400})
    assert {send["state"] for send in client.sends()} == {"dropped"}
    assert receiver.received == []
    if version == "V1":
        now = client.control("GET", "clock")["now"]
        listed = client.v1_ok("GET", "/payments/status/all", params={"from": _unix(now) - 172800})
        # V1's list goes by when a payment began.
        assert listed["list"] == []
        assert client.v1_ok("GET", "/payments/find/order-1")["cancel_amount"] == 400
    else:
        assert v2_listed(client, 3600) == ["order-1"]


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
