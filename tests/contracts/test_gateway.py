"""What every payment gateway does, whichever version speaks: one suite, two adapters."""

import asyncio
from typing import Any

import httpx
import pytest

from market.payments.domain import Captured, ExceedsCancellable, Returned, Status
from market.payments.order import Order
from market.payments.ports import GatewayRefused
from market.payments.record import Seen
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money

from .sides import NOTICE_URL, Side

# ── registering ──


async def registered_amount(side: Side, payment_id: str) -> object:
    found = side.portone.control("GET", f"payments?payment_id={payment_id}")
    (order,) = found["orders"]
    return order["amount"], order["currency"], order["version"]


async def test_the_amount_is_known_before_any_window_opens(side: Side) -> None:
    payment = await side.registered(1234)
    assert await registered_amount(side, payment.id) == (1234, "KRW", side.version)


async def test_to_register_the_same_again_changes_nothing(side: Side) -> None:
    payment = await side.registered()
    await side.gateway.register(payment)
    assert await registered_amount(side, payment.id) == (1000, "KRW", side.version)


async def test_another_amount_is_refused_or_replaces_the_first_but_never_lies(side: Side) -> None:
    """V1 keeps the first and says no; V2 takes the last. Either way we know which one stands."""
    payment = await side.registered(1000)
    payment.amount, stands = Money(900), 900
    try:
        await side.gateway.register(payment)
    except GatewayRefused:
        stands = 1000
    assert await registered_amount(side, payment.id) == (stands, "KRW", side.version)


async def test_checkout_opens_a_window_for_exactly_our_payment(side: Side) -> None:
    payment = await side.registered()
    checkout = side.gateway.checkout(payment)
    assert (checkout.version, checkout.sdk_url) == (side.version, f"{side.url}/sdk/{_js(side)}")
    side.portone.control("POST", "pay", side.order_of(checkout))
    seen = await side.seen(payment)
    assert payment.apply(seen, side.clock.now(), side.gateway.till) == [
        Captured(Money(1000), payment.paid_at or side.clock.now(), None)
    ]
    (told,) = {send["url"] for send in side.portone.control("GET", "webhooks")["items"]}
    assert told == NOTICE_URL


def _js(side: Side) -> str:
    return f"{side.version.lower()}.js"


# ── looking ──


async def test_what_was_never_registered_has_no_record(side: Side) -> None:
    assert await side.gateway.look(side.payment()) == []


async def test_a_window_that_never_opened_has_no_record_or_an_unpaid_one(side: Side) -> None:
    payment = await side.registered()
    assert await side.gateway.look(payment) == []
    side.portone.set(v2_preregistered_lookup=True)
    assert all(seen.state is Seen.UNPAID for seen in await side.gateway.look(payment))


async def test_a_window_that_was_left_is_unpaid(side: Side) -> None:
    payment = await side.registered()
    side.portone.pay(payment.id, outcome="abandoned")
    seen = await side.seen(payment)
    assert (seen.state, seen.returned) == (Seen.UNPAID, 0)
    assert payment.apply(seen, side.clock.now()) == []


async def test_a_declined_card_is_a_failure_with_its_reason(side: Side) -> None:
    payment = await side.registered()
    side.portone.pay(payment.id, outcome="failed")
    seen = await side.seen(payment)
    assert (seen.state, seen.failure) == (Seen.FAILED, "카드 승인이 거절되었습니다.")
    assert payment.apply(seen, side.clock.now()) == []
    assert payment.status is Status.FAILED


async def test_a_paid_one_shows_its_money_and_whose_it_is(side: Side) -> None:
    payment = await side.registered(1234)
    side.portone.pay(payment.id)
    seen = await side.seen(payment)
    assert (seen.state, seen.captured, seen.returned) == (Seen.PAID, Money(1234), 0)
    assert (seen.order_id, seen.test) == (payment.id, True)
    assert seen.store in {None, side.portone.keys["v2"]["store_id"]}
    (attempt,) = side.portone.control("GET", f"payments?payment_id={payment.id}")["items"]
    assert seen.reference == attempt["tx_id"]
    assert seen.paid_at is not None
    assert abs((seen.paid_at - side.clock.now()).total_seconds()) < 60


@pytest.mark.parametrize("before", [["failed"], ["abandoned", "failed"], ["failed", "failed"]])
async def test_of_several_attempts_the_one_with_money_decides(
    side: Side, before: list[str]
) -> None:
    payment = await side.registered()
    for outcome in before:
        side.portone.pay(payment.id, outcome=outcome)
        payment.apply(await side.seen(payment), side.clock.now())
    side.portone.pay(payment.id)
    assert (await side.seen(payment)).state is Seen.PAID


@pytest.mark.parametrize("word", ["paid", "cancelled"])
@pytest.mark.parametrize("amounts", [[1], [999], [300, 200], [1000], [400, 600]])
async def test_what_went_back_is_told_by_amounts_not_by_a_word(
    side: Side, word: str, amounts: list[int]
) -> None:
    """V1 has two words for a partial cancel, and nobody knows which: neither may matter."""
    side.portone.set(v1_partial_cancel_status=word)
    payment = await side.paid()
    for amount in amounts:
        await side.cancelled(payment, amount)
    seen = await side.seen(payment)
    total = sum(amounts)
    assert (seen.state, seen.captured, seen.returned) == (Seen.PAID, Money(1000), total)
    assert payment.cancellable == 1000 - total


async def test_a_cancel_in_the_gateway_s_console_is_seen(side: Side) -> None:
    payment = await side.paid()
    side.portone.control("POST", "cancel", {"payment_id": payment.id, "amount": 300})
    events = payment.apply(await side.seen(payment), side.clock.now())
    assert events == [Returned(Money(300), 300, everything=False)]


@pytest.mark.parametrize(
    ("how", "wrong"), [({"amount": 999}, "amount"), ({"currency": "USD"}, "currency")]
)
async def test_wrong_money_is_seen_as_it_is(side: Side, how: dict[str, object], wrong: str) -> None:
    payment = await side.registered(1000)
    side.portone.pay(payment.id, **how)
    seen = await side.seen(payment)
    (event,) = payment.apply(seen, side.clock.now(), side.gateway.till)
    assert isinstance(event, Captured)
    assert (event.mismatch, event.amount) == (wrong, seen.captured)


async def test_money_of_a_test_channel_is_wrong_where_real_money_is_meant(side: Side) -> None:
    payment = await side.registered()
    side.portone.pay(payment.id)
    live = side.made(test=False)
    (seen,) = await live.look(payment)
    (event,) = payment.apply(seen, side.clock.now(), live.till)
    assert isinstance(event, Captured)
    assert event.mismatch == "channel"


async def test_what_is_not_ours_to_read_is_passed_over(side: Side) -> None:
    """Fields and words that nobody announced, and a change of what merely explains."""

    def change(shown: dict[str, Any]) -> None:
        shown |= {"brandNew": {"deep": [1, None]}, "customer": 7, "method": None, "failure": "?"}
        shown |= {"card_quota": "three", "webhooks": {}, "custom_data": [1]}

    payment = await side.paid()
    side.bent(change)
    assert (await side.seen(payment)).captured == Money(1000)


@pytest.mark.parametrize("word", ["AUTHORIZED", "DISPUTED", "", "Paid"])
async def test_a_status_nobody_announced_is_no_payment(side: Side, word: str) -> None:
    payment = await side.registered()
    side.portone.pay(payment.id)
    side.bent(lambda shown: shown.update(status=word))
    (seen,) = (await side.gateway.look(payment))[: side.calls_of_a_look]
    assert (seen.state, seen.nonsense) == (Seen.UNKNOWN, "unknown_status")
    assert list(Order([payment], [seen]).shares()) == [(payment, None)]


@pytest.mark.parametrize(
    ("version", "word"),
    [("V1", "ready"), ("V1", "pending"), ("V2", "READY"), ("V2", "PENDING"), ("V2", "PAY_PENDING")],
)
async def test_a_payment_that_is_not_decided_yet_is_no_payment(
    v1: Side, v2: Side, version: str, word: str
) -> None:
    side = {"V1": v1, "V2": v2}[version]
    payment = await side.registered()
    side.portone.pay(payment.id)
    side.bent(lambda shown: shown.update(status=word))
    seen = await side.seen(payment)
    assert seen.state is Seen.UNPAID
    assert payment.apply(seen, side.clock.now()) == []


# ── cancelling ──


@pytest.mark.parametrize(("amount", "status"), [(300, "PARTIALLY_CANCELLED"), (None, "CANCELLED")])
async def test_money_goes_back_in_part_or_whole(
    side: Side, amount: int | None, status: str
) -> None:
    payment = await side.paid()
    await side.gateway.cancel(payment, side.cancellation(payment, amount))
    (event,) = payment.apply(await side.seen(payment), side.clock.now())
    back = amount or 1000
    assert event == Returned(Money(back), back, everything=amount is None)
    assert payment.status == status


@pytest.mark.parametrize("balance", [999, 1001, 700])
async def test_on_another_balance_than_we_believe_nothing_goes_back(
    side: Side, balance: int
) -> None:
    payment = await side.paid()
    with pytest.raises(GatewayRefused):
        await side.gateway.cancel(payment, side.cancellation(payment, 500, balance))
    assert await side.returned(payment) == 0


async def test_of_two_that_race_one_goes_back(side: Side) -> None:
    payment = await side.paid()
    wishes = [side.cancellation(payment, 600) for _ in range(2)]
    ends = await asyncio.gather(
        *(side.gateway.cancel(payment, wish) for wish in wishes), return_exceptions=True
    )
    refused = [end for end in ends if end is not None]
    assert [type(end) for end in refused] == [GatewayRefused]
    assert await side.returned(payment) == 600


async def test_what_was_never_paid_is_not_sent_back(side: Side) -> None:
    payment = await side.paid()
    unpaid = await side.registered()
    unpaid.captured, unpaid.reference = payment.captured, None
    with pytest.raises(GatewayRefused):
        await side.gateway.cancel(unpaid, side.cancellation(unpaid))


@pytest.mark.parametrize("amount", [0, -1])
async def test_a_cancellation_of_nothing_never_reaches_the_wire(side: Side, amount: int) -> None:
    """To V1 an amount of 0 means all of it."""
    payment = await side.paid()
    with pytest.raises(ExceedsCancellable):
        side.cancellation(payment, amount)
    wish = side.cancellation(payment, 500)
    wish.amount = amount
    with pytest.raises(ValueError, match=wish.id):
        await side.gateway.cancel(payment, wish)
    assert side.wire.sent == []
    assert await side.returned(payment) == 0


async def test_a_wish_that_was_rebalanced_is_another_wish(side: Side) -> None:
    payment = await side.paid()
    wish = side.cancellation(payment)
    side.portone.control("POST", "cancel", {"payment_id": payment.id, "amount": 300})
    with pytest.raises(GatewayRefused):
        await side.gateway.cancel(payment, wish)
    payment.apply(await side.seen(payment), side.clock.now())
    assert wish.rebalance(payment.cancellable)
    await side.gateway.cancel(payment, wish)
    assert await side.returned(payment) == 1000


# ── keys ──


async def test_a_gateway_that_does_not_know_us_is_trouble_and_no_answer(side: Side) -> None:
    payment = await side.paid()
    stranger = {**side.portone.keys["v1"], "imp_secret": "changed"}
    secret = {**side.portone.keys["v2"], "api_secret": "changed"}
    side.portone.control("PUT", "credentials", {"v1": stranger, "v2": secret})
    side.clock.move(hours=1)
    side.portone.advance(hours=1)
    for call in (
        side.gateway.look(payment),
        side.gateway.register(payment),
        side.gateway.cancel(payment, side.cancellation(payment)),
    ):
        with pytest.raises(GatewayUnavailable):
            await call
    (attempt,) = side.portone.control("GET", f"payments?payment_id={payment.id}")["items"]
    assert attempt["cancelled"] == 0


async def test_a_gateway_that_is_not_there_is_trouble(side: Side) -> None:
    side.url = "http://127.0.0.1:9"
    gone = side.made(timeout=httpx.Timeout(1.0))
    for call in (gone.look(side.payment()), gone.register(side.payment())):
        with pytest.raises(GatewayUnavailable) as trouble:
            await call
        assert trouble.value.code == "gateway_unavailable"  # it never left: nothing is unknown
