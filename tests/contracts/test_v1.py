"""What V1 alone has: a token that ends, and an envelope around every answer."""

import pytest

from market.payments.ports import GatewayRefused
from market.payments.record import Seen
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money

from .sides import V1Side


async def test_one_token_serves_many_calls(v1: V1Side) -> None:
    payment = await v1.registered()
    for _ in range(3):
        await v1.gateway.look(payment)
    assert v1.logins() == 1


async def test_a_token_that_ended_unseen_is_renewed_once_and_the_call_repeated(v1: V1Side) -> None:
    payment = await v1.paid()
    v1.portone.advance(minutes=31)  # their clock, not ours: only their 401 can tell
    await v1.gateway.cancel(payment, v1.cancellation(payment, 400))
    cancel, login = "/v1/payments/cancel", "/v1/users/getToken"
    assert v1.wire.paths() == [cancel, login, cancel]
    assert await v1.returned(payment) == 400
    assert v1.logins() == 1


async def test_a_token_about_to_end_by_our_clock_is_not_used_any_more(v1: V1Side) -> None:
    payment = await v1.paid()
    v1.clock.move(minutes=28)
    await v1.gateway.look(payment)
    assert v1.logins() == 0
    v1.clock.move(minutes=1, seconds=1)
    await v1.gateway.look(payment)
    assert v1.logins() == 1


async def test_its_life_counts_by_their_clock_however_wrong_ours_is(v1: V1Side) -> None:
    v1.clock.move(days=365)
    payment = await v1.paid()
    v1.clock.move(minutes=28)
    await v1.gateway.look(payment)
    assert v1.logins() == 0


async def test_keys_they_do_not_know_are_tried_once(v1: V1Side) -> None:
    keys = {**v1.portone.keys["v1"], "imp_secret": "changed"}
    v1.portone.control("PUT", "credentials", {"v1": keys})
    with pytest.raises(GatewayUnavailable, match="keys"):
        await v1.gateway.look(v1.payment())
    assert v1.wire.paths() == ["/v1/users/getToken"]


async def test_test_payments_are_asked_for_by_name(v1: V1Side) -> None:
    """Without include_sandbox a paid payment of a test channel would be "not found"."""
    payment = await v1.paid()
    v1.portone.set(v1_lookup_hides_test=True)
    assert (await v1.seen(payment)).state is Seen.PAID


@pytest.mark.parametrize("style", ["omit", "null"])
async def test_what_is_empty_may_be_null_or_missing(v1: V1Side, style: str) -> None:
    v1.portone.set(v1_empty_fields=style)
    payment = await v1.registered()
    v1.portone.pay(payment.id, outcome="failed")
    assert (await v1.seen(payment)).state is Seen.FAILED
    v1.portone.pay(payment.id)
    assert (await v1.seen(payment)).captured == Money(1000)


async def test_a_cancel_answered_200_with_a_code_is_no_cancel(v1: V1Side) -> None:
    payment = await v1.paid()
    v1.portone.control("POST", "cancel", {"payment_id": payment.id})
    with pytest.raises(GatewayRefused, match="이미 전액취소된 주문입니다"):
        await v1.gateway.cancel(payment, v1.cancellation(payment))


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 1000.5},
        {"amount": None},
        {"amount": "a lot"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": True},
        {"amount": 0},
        {"amount": -1000},
        {"amount": [1000]},
        {"cancel_amount": 1001},
        {"cancel_amount": -1},
        {"cancel_amount": 0.5},
        {"status": None},
        {"status": "escrowed"},
        {"status": 7},
    ],
)
async def test_a_record_that_makes_no_sense_is_told_and_not_believed(
    v1: V1Side, change: dict[str, object]
) -> None:
    payment = await v1.paid()
    v1.bent(lambda shown: shown.update(change))
    (bent,) = await v1.gateway.look(payment)
    assert bent.nonsense is not None
    assert (bent.order_id, bent.reference) == (payment.id, payment.reference)
