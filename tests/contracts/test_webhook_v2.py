"""The door for V2's webhooks: what the sandbox signed comes in, and nothing else."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import msgspec
import pytest

from market.app import Market
from market.kit.db.database import Database
from market.outside import webhook_seal
from market.settings import Settings, SettingsError
from tests.sandbox.process import Receiver
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import in_process

from .sides import V2Side

PATH = "/webhooks/portone/v2"
JSON = "application/json"


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway(version="V2")


@pytest.fixture
async def door(market: Market) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(market) as client:
        yield client.http


def signed(settings: Settings, clock: MovableClock, body: bytes) -> dict[str, str]:
    key = base64.b64decode(settings.portone_v2.webhook_secrets[0].removeprefix("whsec_"))
    stamp = str(int(clock.now().timestamp()))
    digest = hmac.new(key, f"wh_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": JSON,
        "webhook-id": "wh_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def test_of_all_the_sandbox_sent_one_hint_per_payment_waits(
    v2: V2Side,
    receiver: Receiver,
    door: httpx.AsyncClient,
    acts: Acts,
    market: Market,
    db: Database,
) -> None:
    v2.portone.set(webhook_url_v2=receiver.url)
    v2.portone.fault("forge", version="V2", event="Transaction.Paid")
    v2.portone.fault("duplicate", version="V2", event="Transaction.Cancelled")
    payment = await acts.payment(await acts.trade())
    await v2.gateway.register(payment)
    v2.portone.pay(payment.id)
    v2.portone.control("POST", "cancel", {"payment_id": payment.id})
    v2.portone.settle()
    ready, forged, paid, cancelled, again = receiver.received
    for got in (ready, paid, cancelled, again):
        answer = await door.post(PATH, content=got.body.encode(), headers=got.headers)
        assert answer.status_code == 200
    answer = await door.post(PATH, content=forged.body.encode(), headers=forged.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_refused")
    types = [msgspec.json.decode(body)["type"] for (body,) in await db.fetch(_BODIES)]
    assert types == ["Transaction.Ready"]  # whatever came after it: one look tells it all
    assert {hint.payment_id for hint in await market.inbox.waiting(10)} == {payment.id}


_BODIES = "SELECT body FROM webhooks WHERE gateway = 'V2' ORDER BY id"


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"BillingKey.Issued","data":{"billingKey":"b","storeId":"s"}}',
        b'{"type":"Written.Tomorrow","data":[1],"more":{}}',
        b'{"type":"Transaction.Paid","data":{"paymentId":"not one of ours"}}',
        b'{"type":7,"data":{"paymentId":{"deep":1}}}',
        b"{}",
    ],
)
async def test_what_is_new_is_taken_and_nothing_comes_of_it(
    door: httpx.AsyncClient,
    market: Market,
    settings: Settings,
    clock: MovableClock,
    body: bytes,
) -> None:
    answer = await door.post(PATH, content=body, headers=signed(settings, clock, body))
    assert answer.status_code == 200
    assert await market.sweep.hints() == 0
    assert await market.inbox.waiting(10) == []


async def test_a_signature_over_the_same_words_in_other_bytes_is_none(
    door: httpx.AsyncClient, settings: Settings, clock: MovableClock, db: Database
) -> None:
    headers = signed(settings, clock, b'{"type":"Transaction.Paid"}')
    for body in (b'{"type": "Transaction.Paid"}', b""):
        answer = await door.post(PATH, content=body, headers=headers)
        assert answer.status_code == 401
    assert await db.fetch(_BODIES) == []


async def test_old_or_unsigned_webhooks_are_refused(
    door: httpx.AsyncClient, settings: Settings, clock: MovableClock, db: Database
) -> None:
    headers = signed(settings, clock, b"{}")
    clock.move(minutes=5, seconds=1)
    for given in (headers, {}):
        assert (await door.post(PATH, content=b"{}", headers=given)).status_code == 401
    assert await db.fetch(_BODIES) == []


DEEP = b'{"type": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"


@pytest.mark.parametrize(
    ("body", "status"), [(b"[]", 400), (b"\xff", 400), (DEEP, 400), (b" " * 70_000, 413)]
)
async def test_what_is_no_webhook_at_all_is_refused(
    door: httpx.AsyncClient,
    settings: Settings,
    clock: MovableClock,
    body: bytes,
    status: int,
) -> None:
    answer = await door.post(PATH, content=body, headers=signed(settings, clock, body))
    assert answer.status_code == status


def test_a_secret_that_would_not_protect_stops_the_market(settings: Settings) -> None:
    v2 = replace(settings.portone_v2, webhook_secrets=("whsec_",))
    with pytest.raises(SettingsError, match="PORTONE_V2_WEBHOOK_SECRET"):
        webhook_seal(replace(settings, portone_v2=v2))
