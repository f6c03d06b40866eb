"""Whoever waits for an answer does not wait as long as a gateway may take; a worker does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from market.app import Market
from market.payments import patience
from market.payments.patience import after, in_time
from market.payments.ports import OutcomeUnknown
from market.shared.errors import GatewayUnavailable
from market.trades.domain import Status
from tests.support.acts import ACCOUNT, Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

# Far more than anybody waits here, far less than a gateway that hangs would take.
WITHIN_S = 60


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in earnest."""
    monkeypatch.setattr(patience, "ANSWER_S", 0.3)


async def hang() -> None:
    await asyncio.Event().wait()


async def test_a_buyer_who_completes_is_told_that_no_answer_came(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.before_answer = hang
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(OutcomeUnknown):
            await market.payments.complete(payment.id, payment.payer)


async def test_a_buyer_who_asks_for_an_account_is_told_so_and_gets_it_later(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.before_issue = hang
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(GatewayUnavailable):
            await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.before_issue = MemoryGateway.before_issue
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert payment.account is not None


async def test_a_refund_without_an_answer_in_time_goes_on_without_its_asker(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, id = await acts.paid_trade()
    gateway.before_cancel = hang
    async with asyncio.timeout(WITHIN_S):
        assert await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.before_cancel = MemoryGateway.before_cancel
    clock.move(minutes=2)
    await market.sweep.cancellations()
    assert gateway.cancels == [(id, 1000)]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_all_calls_of_one_request_share_its_patience(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    """What is over is not begun: a refund that never left is not taken for one that may have."""
    began: list[str] = []

    async def call(name: str, act: Callable[[], Awaitable[None]]) -> None:
        async with in_time():
            began.append(name)
            await act()

    with patience.patience(after(0.1)):
        with pytest.raises(OutcomeUnknown):
            await call("first", hang)
        with pytest.raises(GatewayUnavailable) as refused:
            await call("second", hang)
    assert not isinstance(refused.value, OutcomeUnknown)
    assert began == ["first"]


async def test_a_worker_waits_as_long_as_the_gateway_takes(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, payment.amount.amount)
    clock.move(minutes=2)
    answer = asyncio.Event()

    async def wait() -> None:
        await answer.wait()

    gateway.before_answer = wait
    asyncio.get_running_loop().call_later(2 * patience.ANSWER_S, answer.set)
    async with asyncio.timeout(WITHIN_S):
        assert await market.sweep.payments() == 1
    assert (await market.payments.see(payment.id, payment.payer)).captured is not None
