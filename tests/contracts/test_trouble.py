"""Whatever goes wrong on the way, nothing wrong is believed and no money goes back twice."""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from market.kit.db.database import Database
from market.payments.ports import GatewayRefused, OutcomeUnknown
from market.payments.record import Seen
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money

from .sides import SHORT, Side


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and whether the call was carried out all the same."""

    name: str
    carried_out: bool

    def __str__(self) -> str:
        return f"{self.name}-{'done' if self.carried_out else 'undone'}"

    @property
    def trouble(self) -> type[GatewayUnavailable]:
        """Only where the gateway said that it did nothing, nothing is unknown."""
        return GatewayUnavailable if self.name == "error_429" else OutcomeUnknown

    def strike(self, side: Side, path: str = "/payments", times: int = 1) -> None:
        """Hits the next calls to `path`. A slow answer outlasts the client's short patience."""
        slow = self.name == "slow"
        seconds, effect = (1.0, None) if slow else (None, self.carried_out)
        side.fault(self.name, path, times=times, seconds=seconds, effect=effect)
        if slow:
            side.gateway = side.made(timeout=SHORT)

    def pass_over(self, side: Side) -> None:
        side.gateway = side.made()


CUT_BEFORE, CUT_AFTER = Fault("timeout_before", False), Fault("timeout_after", True)
SLOW = Fault("slow", True)
FAULTS = [
    CUT_BEFORE,
    CUT_AFTER,
    Fault("error_500", False),
    Fault("error_500", True),
    Fault("error_429", False),
    Fault("garbage", True),
    Fault("garbage", False),
]
each_fault = pytest.mark.parametrize("fault", [*FAULTS, SLOW], ids=str)


@each_fault
async def test_a_look_that_fails_tells_nothing(side: Side, fault: Fault) -> None:
    payment = await side.registered()
    side.portone.pay(payment.id)
    fault.strike(side)
    with pytest.raises(GatewayUnavailable) as trouble:
        await side.gateway.look(payment)
    assert type(trouble.value) is fault.trouble
    fault.pass_over(side)
    seen = await side.seen(payment)
    assert (seen.state, seen.captured) == (Seen.PAID, Money(1000))


@each_fault
async def test_a_registration_that_fails_can_be_repeated(side: Side, fault: Fault) -> None:
    payment = side.payment()
    fault.strike(side)
    with pytest.raises(GatewayUnavailable) as trouble:
        await side.gateway.register(payment)
    assert type(trouble.value) is fault.trouble
    fault.pass_over(side)
    await side.gateway.register(payment)
    side.portone.pay(payment.id)
    assert (await side.seen(payment)).captured == Money(1000)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_refund_whose_answer_was_lost_happens_once(side: Side, fault: Fault) -> None:
    """It is asked again as if nothing had been: the key (V2) and the balance (both) hold it."""
    payment = await side.paid()
    wish = side.cancellation(payment, 400)
    fault.strike(side, side.cancel_path)
    with pytest.raises(GatewayUnavailable) as trouble:
        await side.gateway.cancel(payment, wish)
    assert type(trouble.value) is fault.trouble
    assert await side.returned(payment) == (400 if fault.carried_out else 0)
    with contextlib.suppress(GatewayRefused):  # V1 finds another balance, V2 the old answer
        await side.gateway.cancel(payment, wish)
    assert await side.returned(payment) == 400


async def test_a_refund_that_is_still_under_way_is_not_made_twice(side: Side) -> None:
    """We lost patience, the gateway did not. The repeat is slow too, so that it ends after the
    first; meanwhile V2 says that the first still runs."""
    payment = await side.paid()
    wish = side.cancellation(payment, 400)
    SLOW.strike(side, side.cancel_path, times=2)
    with pytest.raises(OutcomeUnknown):
        await side.gateway.cancel(payment, wish)
    SLOW.pass_over(side)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OutcomeUnknown):
                with contextlib.suppress(GatewayRefused):
                    await side.gateway.cancel(payment, wish)
                break
    assert await side.returned(payment) == 400


async def test_nothing_is_called_inside_a_transaction(side: Side, db: Database) -> None:
    payment = await side.paid()
    for call in (
        side.gateway.look(payment),
        side.gateway.register(payment),
        side.gateway.cancel(payment, side.cancellation(payment)),
    ):
        async with db.transaction():
            with pytest.raises(RuntimeError, match="transaction"):
                await call
    assert side.wire.sent == []
