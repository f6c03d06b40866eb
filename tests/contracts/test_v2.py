"""What V2 alone has: keys for repeats, typed refusals, cancels that end later, signed webhooks."""

import json
from contextlib import suppress

import pytest

from market.payments.domain import Means, Method, Payment
from market.payments.portone.signature import SignatureRefused, WebhookSeal
from market.payments.ports import GatewayRefused, OutcomeUnknown
from market.payments.record import Seen
from market.shared.contracts import AmountDue
from market.shared.errors import GatewayUnavailable
from market.shared.ids import MemberId, PaymentId, TradeId
from market.shared.money import Money
from tests.sandbox.process import Receiver

from .sides import V2Side

REFUSED = [
    "INVALID_REQUEST",
    "PAYMENT_NOT_FOUND",
    "PAYMENT_NOT_PAID",
    "PAYMENT_ALREADY_CANCELLED",
    "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
    "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT",
    "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT",
    "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT",
    "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT",
    "MAX_CANCEL_COUNT_REACHED",
    "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
    "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED",
    "PG_PROVIDER",
]


# ── keys of repeats ──


async def test_a_repeat_bears_the_same_key_and_a_rebalanced_wish_another(v2: V2Side) -> None:
    payment = await v2.paid()
    wish = v2.cancellation(payment, 400)
    await v2.gateway.cancel(payment, wish)
    await v2.gateway.cancel(payment, wish)  # the old answer, and no second refund
    assert await v2.returned(payment) == 400
    wish.balance, wish.amount = 600, 200
    await v2.gateway.cancel(payment, wish)
    assert await v2.returned(payment) == 600
    first, again, other = (call.headers["idempotency-key"] for call in v2.cancels_sent())
    assert first == again != other
    assert {first[0], first[-1], other[0], other[-1]} == {'"'}
    assert first.isascii()
    assert 16 <= len(first.strip('"')) <= 256


async def test_two_wishes_for_the_same_amount_bear_two_keys(v2: V2Side) -> None:
    payment = await v2.paid()
    for balance in (1000, 500):
        await v2.gateway.cancel(payment, v2.cancellation(payment, 500, balance))
    assert await v2.returned(payment) == 1000


# ── refusals ──


@pytest.mark.parametrize("error_type", REFUSED)
async def test_a_documented_refusal_is_an_answer(v2: V2Side, error_type: str) -> None:
    payment = await v2.paid()
    v2.fault("refuse", v2.cancel_path, error_type=error_type)
    with pytest.raises(GatewayRefused) as refusal:
        await v2.gateway.cancel(payment, v2.cancellation(payment))
    assert refusal.value.context == {"payment_id": payment.id, "type": error_type}
    # What the payment company said is what an operator needs to read.
    told = "PG 오류" if error_type == "PG_PROVIDER" else "asked for by a fault"
    assert refusal.value.detail == told


@pytest.mark.parametrize("error_type", ["IDEMPOTENCY_OUTSTANDING_REQUEST", "WRITTEN_TOMORROW"])
async def test_a_type_on_no_list_leaves_the_outcome_open(v2: V2Side, error_type: str) -> None:
    payment = await v2.paid()
    v2.fault("refuse", v2.cancel_path, error_type=error_type)
    with pytest.raises(OutcomeUnknown):
        await v2.gateway.cancel(payment, v2.cancellation(payment))


@pytest.mark.parametrize("error_type", ["UNAUTHORIZED", "FORBIDDEN"])
async def test_a_closed_door_is_our_trouble_and_no_refusal(v2: V2Side, error_type: str) -> None:
    payment = await v2.paid()
    for call in (
        v2.gateway.look(payment),
        v2.gateway.register(payment),
        v2.gateway.cancel(payment, v2.cancellation(payment)),
    ):
        v2.fault("refuse", error_type=error_type)
        with pytest.raises(GatewayUnavailable) as trouble:
            await call
        assert trouble.value.code == "gateway_unavailable"


async def test_a_wrong_secret_or_store_is_trouble(v2: V2Side) -> None:
    payment = await v2.paid()
    for stranger in (v2.made(secret="a PG's secret"), v2.made(store="store-theirs")):
        with pytest.raises(GatewayUnavailable):
            await stranger.look(payment)


async def test_only_a_payment_not_found_is_no_record(v2: V2Side) -> None:
    payment = await v2.paid()
    for error_type in ("CHANNEL_NOT_FOUND", "INVALID_REQUEST", "PG_PROVIDER"):
        v2.fault("refuse", error_type=error_type)
        with pytest.raises(GatewayUnavailable):
            await v2.gateway.look(payment)


async def test_what_is_paid_already_cannot_be_registered(v2: V2Side) -> None:
    payment = await v2.paid()
    with pytest.raises(GatewayRefused) as refusal:
        await v2.gateway.register(payment)
    assert refusal.value.context["type"] == "ALREADY_PAID"


# ── cancels that end otherwise ──


async def test_a_cancel_answered_200_failed_is_refused(v2: V2Side) -> None:
    payment = await v2.paid()
    v2.portone.set(v2_cancel_mode="fail")
    with pytest.raises(GatewayRefused):
        await v2.gateway.cancel(payment, v2.cancellation(payment))
    assert await v2.returned(payment) == 0


@pytest.mark.parametrize(("outcome", "back"), [("succeeded", 400), ("failed", 0)])
async def test_a_cancel_that_ends_later_counts_when_it_has_ended(
    v2: V2Side, outcome: str, back: int
) -> None:
    payment = await v2.paid()
    v2.portone.set(v2_cancel_mode="async")
    await v2.gateway.cancel(payment, v2.cancellation(payment, 400))
    assert await v2.returned(payment) == 0
    v2.portone.control("POST", "cancellations", {"payment_id": payment.id, "outcome": outcome})
    assert await v2.returned(payment) == back


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
async def test_one_still_under_way_after_its_key_was_forgotten_is_not_given_up(
    v2: V2Side, outcome: str
) -> None:
    """A bank may take days, keys are kept three hours: then our own earlier wish stands in the way
    of the balance, and its refusal must not pass for the end."""
    payment = await v2.paid()
    wish = v2.cancellation(payment, 400)
    v2.portone.set(v2_cancel_mode="async")
    await v2.gateway.cancel(payment, wish)
    v2.portone.advance(hours=4)
    with pytest.raises(GatewayRefused):
        await v2.gateway.cancel(payment, wish)
    assert (await v2.seen(payment)).returning, "so the refusal is not the end"
    v2.portone.control("POST", "cancellations", {"payment_id": payment.id, "outcome": outcome})
    assert (await v2.seen(payment)).returning is False
    v2.portone.set(v2_cancel_mode="sync")
    v2.portone.advance(hours=24)
    with suppress(GatewayRefused):
        await v2.gateway.cancel(payment, wish)
    assert await v2.returned(payment) == 400


@pytest.mark.parametrize(
    ("listed", "returning"),
    [
        (None, None),
        ("none", None),
        ([], False),
        ([{"id": "c1", "status": "REQUESTED", "totalAmount": 400}], True),
        ([{"id": "c1", "status": "IN_A_NEW_WAY", "totalAmount": 400}], True),
        ([{"id": "c1", "status": "FAILED", "totalAmount": 400}], False),
        ([{"id": "c1", "status": "FAILED", "totalAmount": 400}, {"id": "c2"}], None),
        ([{"id": "c1", "status": "REQUESTED", "totalAmount": 400}, {"id": "c2"}], True),
    ],
)
async def test_only_a_record_that_lists_its_refunds_says_that_none_is_under_way(
    v2: V2Side, listed: object, returning: bool | None
) -> None:
    payment = await v2.paid()
    v2.bent(lambda shown: shown.update(cancellations=listed))
    assert (await v2.seen(payment)).returning is returning


# ── records ──


async def test_a_payment_that_was_called_off_before_it_was_paid_holds_no_money(v2: V2Side) -> None:
    """CANCELLED is a word like any other: with nothing paid it must not sell any goods."""
    payment = await v2.registered()
    v2.portone.pay(payment.id, outcome="abandoned")
    v2.bent(lambda shown: shown.update(status="CANCELLED"))
    assert (await v2.seen(payment)).state is Seen.FAILED


@pytest.mark.parametrize(
    "change",
    [
        {"amount": None},
        {"amount": {"total": 100, "cancelled": 101}},
        {"amount": {"total": 100, "cancelled": -1}},
        {"amount": {"total": "100"}},
        {"amount": {"cancelled": 0}},
        {"currency": None},
        {"status": None},
    ],
)
async def test_money_that_makes_no_sense_is_told_and_not_believed(
    v2: V2Side, change: dict[str, object]
) -> None:
    payment = await v2.paid()
    v2.bent(lambda shown: shown.update(change))
    bent = (await v2.gateway.look(payment))[0]
    assert bent.nonsense is not None
    assert (bent.order_id, bent.reference) == (payment.id, payment.reference)


@pytest.mark.parametrize(
    ("channel", "test"),
    [({"type": "LIVE"}, False), ({"type": "TEST"}, True), ({"type": "NEW"}, None), (None, None)],
)
async def test_the_channel_tells_test_from_live(
    v2: V2Side, channel: object, test: bool | None
) -> None:
    payment = await v2.paid()
    v2.bent(lambda shown: shown.update(channel=channel, storeId="store-theirs"))
    seen = await v2.seen(payment)
    assert (seen.test, seen.store) == (test, "store-theirs")


@pytest.mark.parametrize("paid_at", ["yesterday", 5, {}, "2026-11-22T10:00:00"])
async def test_a_time_in_a_new_form_does_not_hide_the_money(v2: V2Side, paid_at: object) -> None:
    payment = await v2.paid()
    v2.bent(lambda shown: shown.update(paidAt=paid_at))
    assert (await v2.seen(payment)).captured == Money(1000)


async def test_ids_travel_percent_encoded(v2: V2Side) -> None:
    invoice = AmountDue(TradeId("t"), MemberId("m"), "양말", Money(5))
    id = PaymentId("주문 1/2?x=#%")
    payment = Payment.ask(id, invoice, "V2", Means(Method.CARD), v2.clock.now())
    await v2.gateway.register(payment)
    v2.portone.pay(id)
    payment.apply(await v2.seen(payment), v2.clock.now())
    await v2.gateway.cancel(payment, v2.cancellation(payment, 2))
    seen = await v2.seen(payment)
    assert (seen.order_id, seen.returned) == (id, 2)


async def test_the_secret_is_sent_in_portone_s_own_scheme(v2: V2Side) -> None:
    await v2.registered()
    secret = v2.portone.keys["v2"]["api_secret"]
    assert v2.wire.sent[0].headers["authorization"] == f"PortOne {secret}"


# ── webhooks ──


async def test_the_gateway_s_webhooks_bear_a_signature_we_know(
    v2: V2Side, receiver: Receiver
) -> None:
    second = "whsec_c2Vjb25kLXNlY3JldC1vZi10aGUtc2FuZGJveCE="
    keys = v2.portone.keys["v2"] | {"second_webhook_secret": second}
    v2.portone.control("PUT", "credentials", {"v2": keys})
    v2.portone.set(webhook_url_v2=receiver.url)
    v2.portone.fault("forge", version="V2", event="Transaction.Paid")
    payment = await v2.registered()
    v2.portone.pay(payment.id)
    v2.portone.settle()
    ready, forged, paid = receiver.received
    for seal in (
        WebhookSeal.of(keys["webhook_secret"]),
        WebhookSeal.of(second),
        WebhookSeal.of(second, keys["webhook_secret"]),
    ):
        for true in (ready, paid):
            id = seal.verify(true.headers, true.body.encode(), v2.clock.now())
            assert id == true.headers["webhook-id"]
        with pytest.raises(SignatureRefused):
            seal.verify(forged.headers, forged.body.encode(), v2.clock.now())
    assert json.loads(paid.body)["data"]["paymentId"] == payment.id


async def test_on_manual_approval_we_charge_what_the_buyer_authenticated(v2: V2Side) -> None:
    payment = await v2.registered()
    manual = {"channel_key": "channel-key-sandbox-v2-manual"}
    result = v2.portone.pay(payment.id, **manual)
    assert all(seen.state is Seen.UNPAID for seen in await v2.gateway.look(payment))
    with pytest.raises(GatewayRefused):
        await v2.gateway.approve(payment, "another token")
    await v2.gateway.approve(payment, result["paymentToken"])
    assert (await v2.seen(payment)).state is Seen.PAID
