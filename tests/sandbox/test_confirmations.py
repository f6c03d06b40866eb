"""The confirm process: the merchant is asked before a payment is approved."""

import json

import pytest
from portone_server_sdk import webhook as official

from .client import Client, Json
from .process import Receiver
from .test_checkout import open_window, v1_params, v2_params


def window(client: Client, receiver: Receiver, version: str, **more: object) -> None:
    """A window whose merchant wants to be asked."""
    url = f"{receiver.url}/confirm"
    if version == "V1":
        open_window(client, "V1", v1_params(client, confirm_url=url, **more))
    else:
        open_window(client, "V2", v2_params(client, confirmUrl=url, **more))


def status(client: Client, version: str) -> str:
    """How the version shows the order."""
    if version == "V1":
        return str(client.v1_ok("GET", "/payments/find/order-1")["status"]).upper()
    return str(client.v2_ok("GET", "/payments/order-1")["status"])


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_merchant_that_agrees_is_paid(client: Client, receiver: Receiver, version: str) -> None:
    client.set(webhook_url_v1=None, webhook_url_v2=None)
    window(client, receiver, version)
    result = client.pay("order-1")
    assert status(client, version) == "PAID"
    (asked,) = receiver.received
    assert asked.path == "/confirm"
    told: Json = json.loads(asked.body)
    if version == "V1":
        assert told == {"imp_uid": result["imp_uid"], "merchant_uid": "order-1", "amount": 1000}
        return
    assert told["type"] == "Transaction.Confirm"
    assert told["data"]["totalAmount"] == 1000
    assert told["data"]["transactionId"] == result["txId"]
    official.verify(client.keys["v2"]["webhook_secret"], asked.body, asked.headers)


@pytest.mark.parametrize("code", [201, 204, 302, 400, 500])
@pytest.mark.parametrize("version", ["V1", "V2"])
def test_only_200_agrees(client: Client, receiver: Receiver, version: str, code: int) -> None:
    client.set(webhook_url_v1=None, webhook_url_v2=None)
    window(client, receiver, version)
    receiver.statuses = [code]
    if code != 204:
        receiver.answers = [json.dumps({"reason": "품절", "errorMessage": "품절"})]
    said = "품절" if code != 204 else "confirm_url: 204"
    result = client.pay("order-1")
    assert status(client, version) == "FAILED"
    if version == "V1":
        assert (result["success"], result["error_msg"]) == (False, said)
        assert client.v1_ok("GET", "/payments/find/order-1")["fail_reason"] == said
    else:
        assert (result["code"], result["message"]) == ("ConfirmProcessFailed", said)
        assert client.v2_ok("GET", "/payments/order-1")["failure"]["reason"] == said


@pytest.mark.parametrize("answer", ["", "[]", "{", '{"reason": 3}', "\x00"])
def test_a_merchant_that_says_anything_else_refuses(
    client: Client, receiver: Receiver, answer: str
) -> None:
    window(client, receiver, "V1")
    receiver.statuses, receiver.answers = [400], [answer]
    assert client.pay("order-1")["error_msg"] == "confirm_url: 400"


def test_a_merchant_that_is_away_refuses(client: Client, receiver: Receiver) -> None:
    url = receiver.url.replace("http://127.0.0.1", "http://127.0.0.1.invalid")
    open_window(client, "V1", v1_params(client, confirm_url=url))
    assert client.pay("order-1")["error_msg"].startswith("confirm_url: ")
    assert status(client, "V1") == "FAILED"


def test_a_window_in_the_browser_asks_as_well(client: Client, receiver: Receiver) -> None:
    client.set(webhook_url_v1=None)
    params = v1_params(client, confirm_url=f"{receiver.url}/confirm")
    body: Json = {"params": params, "code": client.keys["v1"]["imp_code"]}
    for outcome, asked in (("limit", 0), ("approved", 1)):
        body["params"]["merchant_uid"] = f"order-{outcome}"
        opened = client.http.post("/checkout/v1", json=body).json()
        receiver.statuses = [409]
        form = {"token": opened["token"], "action": "pay", "choice": outcome}
        client.http.post(f"/{opened['window']}/act", data=form)
        assert len(receiver.received) == asked
        found = client.v1_ok("GET", f"/payments/find/order-{outcome}")
        assert found["status"] == "failed"


def test_an_account_is_confirmed_before_it_is_issued(client: Client, receiver: Receiver) -> None:
    client.set(webhook_url_v1=None)
    window(client, receiver, "V1", pay_method="vbank")
    receiver.statuses = [400]
    client.pay("order-1")
    assert status(client, "V1") == "FAILED"


@pytest.mark.parametrize("url", ["notaurl", "ftp://127.0.0.1/", "javascript:alert(1)"])
def test_a_confirm_url_is_a_url(client: Client, url: str) -> None:
    open_window(client, "V1", v1_params(client, confirm_url=url), 400)
    open_window(client, "V2", v2_params(client, confirmUrl=url), 400)
