"""Forged, repeated and countless webhooks at a running market: none of them moves anything that the
gateway's own record does not (P3). The signature's every detail is in tests/payments/."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.attacks.conftest import Siege
from tests.support.web import Client, problem

SECRET = base64.b64decode("c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE=")
V1, V2 = "/webhooks/portone/v1", "/webhooks/portone/v2"
REFUSED = (401, "webhook_signature_refused")
FLOOD = 200


def sealed(
    body: bytes, secret: bytes = SECRET, ahead: timedelta = timedelta(), id: str = "wh_1"
) -> dict[str, str]:
    """The headers of a good webhook."""
    sent_at = str(int((datetime.now(UTC) + ahead).timestamp()))
    digest = hmac.digest(secret, f"{id}.{sent_at}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


@pytest.fixture
async def unpaid(door: Client) -> tuple[Client, Mapping[str, Any]]:
    """A buyer and their payment, for which no money ever comes."""
    seller, buyer = await door.member("s"), await door.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
    return buyer, payment


def paid(payment: Mapping[str, Any], **more: Any) -> bytes:
    data = {"paymentId": payment["id"], "storeId": "store-sandbox-0000", **more}
    return json.dumps({"type": "Transaction.Paid", "data": data}).encode()


async def test_what_the_gateway_did_not_sign_just_now_is_refused(
    door: Client, siege: Siege, unpaid: tuple[Client, Mapping[str, Any]]
) -> None:
    _, payment = unpaid
    body = paid(payment)
    good = sealed(body)
    old, early = timedelta(minutes=-6), timedelta(minutes=6)
    signature, later = good["webhook-signature"], str(int(good["webhook-timestamp"]) + 1)
    lies: dict[str, tuple[bytes, Mapping[str, str]]] = {
        "another secret": (body, sealed(body, b"another secret")),
        "the secret's own text": (body, sealed(body, b"whsec_" + base64.b64encode(SECRET))),
        "no secret": (body, sealed(body, b"\0")),
        "another body": (paid(payment, amount=1), good),
        "one more space": (body + b" ", good),
        "recorded a while ago": (body, sealed(body, ahead=old)),
        "from the future": (body, sealed(body, ahead=early)),
        "another id": (body, good | {"webhook-id": "wh_2"}),
        "another moment": (body, good | {"webhook-timestamp": later}),
        "no version": (body, good | {"webhook-signature": signature.removeprefix("v1,")}),
        "another version": (body, good | {"webhook-signature": signature.replace("v1,", "v2,")}),
        "cut short": (body, good | {"webhook-signature": signature[:20]}),
        "an empty one": (body, good | {"webhook-signature": "v1,"}),
        "many wrong ones": (body, good | {"webhook-signature": " ".join(["v1,eA=="] * 400)}),
        **{
            f"without {name}": (body, {n: v for n, v in good.items() if n != name})
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        },
        "V1's kind of webhook": (b'{"imp_uid": "imp_1", "status": "paid"}', {}),
    }
    for name, (content, headers) in lies.items():
        answer = await door.http.post(V2, content=content, headers=headers)
        assert problem(answer) == REFUSED, name
    connection = await asyncpg.connect(siege.market.dsn)
    stored = "SELECT count(*) FROM webhooks WHERE payment_id = $1"
    assert await connection.fetchval(stored, payment["id"]) == 0
    await connection.close()


async def test_a_good_signature_among_many_is_found(
    door: Client, unpaid: tuple[Client, Mapping[str, Any]]
) -> None:
    body = paid(unpaid[1])
    good = sealed(body)
    crowd = "v1,eA== " * 50 + good["webhook-signature"] + " v2,eA=="
    headers = good | {"webhook-signature": crowd}
    assert (await door.http.post(V2, content=body, headers=headers)).status_code == 200


async def test_however_often_and_whatever_is_told_nothing_is_paid_that_is_not(
    door: Client, siege: Siege, unpaid: tuple[Client, Mapping[str, Any]]
) -> None:
    """Hints of either kind, true to form, a true one repeated, and a flood of others."""
    buyer, payment = unpaid
    lie = {"merchant_uid": payment["id"], "imp_uid": "imp_1", "status": "paid", "amount": 1000}
    body = paid(payment, transactionId="t", totalAmount=1000)
    headers = sealed(body)
    for _ in range(3):
        assert (await door.http.post(V1, json=lie)).status_code == 200
        assert (await door.http.post(V2, content=body, headers=headers)).status_code == 200
    for number in range(FLOOD):
        hint = lie | {"imp_uid": f"imp_{number}", "cancellation_id": str(number)}
        assert (await door.http.post(V1, json=hint)).status_code == 200
    shown = await buyer.post(f"/api/payments/{payment['id']}/complete")
    assert (shown["status"], shown["paid_at"]) == ("READY", None)
    connection = await asyncpg.connect(siege.market.dsn)
    booked = "SELECT count(*) FROM transfers WHERE source LIKE $1"
    assert await connection.fetchval(booked, f"%{payment['id']}%") == 0
    waiting = """
        SELECT count(*) FROM webhooks WHERE payment_id = $1 AND handled_at IS NULL AND tries = 0
    """
    assert await connection.fetchval(waiting, payment["id"]) <= 2  # one for each version
    await connection.close()


async def test_hints_about_what_is_not_ours_are_laid_aside(door: Client, siege: Siege) -> None:
    odd: list[dict[str, Any]] = [
        {"imp_uid": "x" * 10_000},
        {"merchant_uid": "../../v1/payments"},
        {"merchant_uid": "f" * 32, "status": {"a": [1]}},
        {"merchant_uid": "'; DROP TABLE payments; --"},
        {"imp_uid": "http://127.0.0.1:9/", "merchant_uid": "http://127.0.0.1:9/"},
    ]
    for hint in odd:
        assert (await door.http.post(V1, json=hint)).status_code == 200
    async with httpx.AsyncClient(base_url=siege.market.sandbox) as sandbox:
        known = (await sandbox.get("/control/payments")).json()["items"]
    assert not [item for item in known if item["order_id"] in {"f" * 32, "../../v1/payments"}]
