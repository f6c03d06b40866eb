"""V2's signed webhooks: proof, retries, and sending again."""

import json
from datetime import datetime, timedelta

import pytest
from portone_server_sdk import webhook as official

from .client import Client, Json
from .process import Received, Receiver
from .test_v2 import VIRTUAL_ACCOUNT, instant, manual, refused


def told(receiver: Receiver) -> list[str]:
    """The types received, in order, without the prefix."""
    return [str(json.loads(r.body)["type"]).removeprefix("Transaction.") for r in receiver.received]


def test_every_step_is_told(client: Client, receiver: Receiver) -> None:
    client.v2_ok("POST", "/payments/order-1/pre-register", {"totalAmount": 1000, "currency": "KRW"})
    client.pay("order-1", outcome="failed")
    client.pay("order-1")
    for body in ({"reason": "변심", "amount": 1}, {"reason": "변심"}):
        client.v2_ok("POST", "/payments/order-1/cancel", body)
    client.settle()
    assert told(receiver) == ["Ready", "Failed", "Ready", "Paid", "PartialCancelled", "Cancelled"]
    data = json.loads(receiver.received[-1].body)["data"]
    assert set(data) == {"storeId", "paymentId", "transactionId", "cancellationId"}


def test_a_call_may_ask_for_silence(client: Client, receiver: Receiver) -> None:
    client.v2_paid("order-1")
    body = {"reason": "변심", "skipWebhook": True}
    client.v2_ok("POST", "/payments/order-1/cancel", body)
    quiet = instant(client, VIRTUAL_ACCOUNT, skipWebhook=True)
    client.v2_ok("POST", "/payments/order-2/instant", quiet)
    client.settle()
    assert told(receiver) == ["Ready", "Paid"]


def test_asynchronous_cancels_and_closed_accounts_are_told(
    client: Client, receiver: Receiver
) -> None:
    client.set(v2_cancel_mode="async", v2_closed_account_webhook=True)
    client.v2_paid("order-1")
    client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심"})
    client.control("POST", "cancellations", {"payment_id": "order-1"})
    client.v2_ok("POST", "/payments/order-2/instant", instant(client, VIRTUAL_ACCOUNT))
    client.v2_ok("POST", "/payments/order-2/virtual-account/close")
    client.settle()
    assert sorted(told(receiver)) == sorted(
        ["Ready", "Paid", "CancelPending", "Cancelled", "VirtualAccountIssued", "Failed"]
    )


def verified(got: Received, secret: str) -> object:
    """What the official verifier makes of it."""
    return official.verify(secret, got.body, got.headers)


def test_the_official_verifier_takes_either_secret_and_no_forgery(
    client: Client, receiver: Receiver
) -> None:
    second = "whsec_c2Vjb25kLXNlY3JldC1vZi10aGUtc2FuZGJveCE="
    keys = client.keys["v2"] | {"second_webhook_secret": second}
    client.control("PUT", "credentials", {"v2": keys})
    client.fault("forge", version="V2", event="Transaction.Paid")
    client.v2_paid("order-1")
    client.settle()
    _, forged, true = receiver.received
    for secret in (client.keys["v2"]["webhook_secret"], second):
        assert isinstance(verified(true, secret), official.WebhookTransactionPaid)
        with pytest.raises(official.WebhookVerificationError):
            verified(forged, secret)


def test_retries_come_after_1_4_16_64_256_minutes_times_jitter(
    client: Client, receiver: Receiver
) -> None:
    client.set(v2_retry_jitter=1.0)
    receiver.statuses = [200, 500, 404, 500, 500, 500, 500]
    client.v2_paid("order-1")
    client.settle()
    assert len(receiver.received) == 2
    client.advance(minutes=0.4)
    client.settle()
    assert len(receiver.received) == 2
    for count, minutes in enumerate((0.7, 4, 16, 64, 256), start=3):
        client.advance(minutes=minutes)
        client.settle()
        assert len(receiver.received) == count
    client.advance(hours=24)
    sends = client.sends()
    assert (sends[-1]["state"], len(sends[-1]["attempts"])) == ("failed", 6)
    paid = receiver.received[1:]
    assert len({got.headers["webhook-id"] for got in paid}) == 1
    assert len({got.body for got in paid}) == 1


def test_one_jump_over_six_hours_makes_every_retry(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [200, 500, 500, 500, 500, 500, 200]
    client.v2_paid("order-1")
    client.settle()
    client.advance(hours=6)
    sends = client.sends()
    assert (sends[-1]["state"], len(sends[-1]["attempts"])) == ("delivered", 6)


def test_jitter_spreads_a_retry_over_its_whole_minute(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [500] * 200
    for number in range(20):
        client.v2_paid(f"order-{number}")
    waits = [
        datetime.fromisoformat(send["next_at"]) - datetime.fromisoformat(send["created_at"])
        for send in client.sends()
        if len(send["attempts"]) == 1  # the shortest waits may be over already
    ]
    assert all(timedelta() <= wait <= timedelta(minutes=1) for wait in waits)
    assert len(set(waits)) > 15


def test_a_retry_may_take_a_new_id_by_a_switch(client: Client, receiver: Receiver) -> None:
    client.set(v2_retry_keeps_webhook_id=False)
    receiver.statuses = [200, 500]
    client.v2_paid("order-1")
    client.settle()
    client.advance(minutes=1)
    client.settle()
    assert len({got.headers["webhook-id"] for got in receiver.received[1:]}) == 2


def test_a_payment_lists_its_sends(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [200, 503]
    client.v2_paid("order-1")
    client.settle()
    sends: list[Json] = client.v2_ok("GET", "/payments/order-1")["webhooks"]
    assert [s["status"] for s in sends] == ["SUCCEEDED", "FAILED_NOT_OK_RESPONSE"]
    assert sends[1]["response"]["code"] == "503"
    receiver.close()
    client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심"})
    client.settle()
    assert client.v2_ok("GET", "/payments/order-1")["webhooks"][2]["status"] == (
        "FAILED_UNEXPECTED_ERROR"
    )


def test_a_webhook_is_sent_again_by_hand_so_often(client: Client, receiver: Receiver) -> None:
    client.set(v2_max_webhook_sends=2)
    client.v2_paid("order-1")
    client.settle()
    path = "/payments/order-1/resend-webhook"
    again = client.v2_ok("POST", path, {})["webhook"]
    assert (again["status"], again["trigger"]) == ("SUCCEEDED", "MANUAL")
    client.v2_ok("POST", path, {"webhookId": again["id"]})
    assert told(receiver) == ["Ready", "Paid", "Paid", "Paid"]
    assert refused(client.v2("POST", path, {})) == (400, "MAX_WEBHOOK_RETRY_COUNT_REACHED")
    assert refused(client.v2("POST", path, {"webhookId": "x"})) == (404, "WEBHOOK_NOT_FOUND")
    unknown = client.v2("POST", "/payments/none/resend-webhook", {})
    assert refused(unknown) == (404, "PAYMENT_NOT_FOUND")


def test_a_confirmed_payment_is_told_when_it_is_charged(client: Client, receiver: Receiver) -> None:
    token = manual(client)["paymentToken"]
    client.settle()
    assert told(receiver) == ["Ready"]
    client.v2_ok("POST", "/payments/order-1/confirm", {"paymentToken": token})
    client.settle()
    assert told(receiver) == ["Ready", "Paid"]


def test_v1_repeats_only_where_that_was_arranged(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [500, 500, 500]
    client.v1_paid("order-1")
    client.set(v1_webhook_retries=5)
    client.v1_paid("order-2")
    client.settle()
    client.advance(minutes=10)
    client.settle()
    tries = {send["order_id"]: len(send["attempts"]) for send in client.sends()}
    assert tries == {"order-1": 1, "order-2": 3}


def test_a_repeated_key_sends_a_webhook_once(client: Client, receiver: Receiver) -> None:
    client.v2_paid("order-1")
    client.settle()
    headers = {"Idempotency-Key": '"0123456789abcdef"'}
    path = "/payments/order-1/resend-webhook"
    answers = [client.v2("POST", path, {}, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert told(receiver) == ["Ready", "Paid", "Paid"]
