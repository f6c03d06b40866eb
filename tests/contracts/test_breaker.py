"""A version that does not answer is left alone for a while; refusals and rushes don't count."""

import httpx
import pytest

from market.payments.portone.breaker import MOST_FAILURES, WAIT
from market.payments.ports import GatewayRefused, OutcomeUnknown
from market.payments.record import Seen
from market.shared.errors import GatewayUnavailable

from .sides import Side, V2Side

# A connection of the pool's must be free at once, or not at all.
HURRIED = httpx.Timeout(5.0, pool=0.01)


@pytest.mark.parametrize("fault", ["error_500", "timeout_before"])
async def test_a_gateway_that_fails_is_not_asked_until_a_probe_is_answered(
    side: Side, fault: str
) -> None:
    payment = await side.paid()
    side.fault(fault, times=MOST_FAILURES)
    for _ in range(MOST_FAILURES):
        with pytest.raises(OutcomeUnknown):
            await side.gateway.look(payment)
    side.wire.sent.clear()
    for call in (
        side.gateway.look(payment),
        side.gateway.register(payment),
        side.gateway.cancel(payment, side.cancellation(payment)),
    ):
        with pytest.raises(GatewayUnavailable, match="not asked") as trouble:
            await call
        assert type(trouble.value) is GatewayUnavailable
    assert side.wire.sent == []
    side.clock.move(seconds=WAIT.total_seconds())
    assert (await side.seen(payment)).state is Seen.PAID
    assert len(side.wire.sent) == side.calls_of_a_look
    await side.gateway.cancel(payment, side.cancellation(payment, 400))
    assert await side.returned(payment) == 400


async def test_being_asked_to_slow_down_is_an_answer(side: Side) -> None:
    payment = await side.paid()
    side.fault("error_429", times=MOST_FAILURES)
    for _ in range(MOST_FAILURES):
        with pytest.raises(GatewayUnavailable):
            await side.gateway.look(payment)
    assert (await side.seen(payment)).state is Seen.PAID


async def test_a_payment_company_that_refuses_is_an_answer(v2: V2Side) -> None:
    """V2 sends its no as a 502: refusals in a row must not stop everybody's payments."""
    payment = await v2.registered()
    v2.fault("refuse", error_type="PG_PROVIDER", times=MOST_FAILURES)
    for _ in range(MOST_FAILURES):
        with pytest.raises(GatewayRefused):
            await v2.gateway.register(payment)
    await v2.gateway.register(payment)


async def test_a_full_pool_fails_soon_and_is_not_held_against_the_gateway(side: Side) -> None:
    payment = await side.paid()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as side.client:
        gateway = side.made(timeout=HURRIED)
        await gateway.look(payment)
        async with side.client.stream("GET", side.url):
            for _ in range(MOST_FAILURES):
                with pytest.raises(GatewayUnavailable) as trouble:
                    await gateway.look(payment)
                assert type(trouble.value) is GatewayUnavailable
        assert await gateway.look(payment)
