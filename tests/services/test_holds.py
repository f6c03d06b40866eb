"""Holds that ran out end though the gateway is slow; what it has to say comes after (P6, P10)."""

import asyncio
from collections.abc import Sequence

import pytest

from market.app import Market
from market.payments import refunds, sweep
from market.payments.domain import Means, Payment
from market.payments.domain import Status as Paid
from market.payments.record import Snapshot
from market.shared.ids import MemberId
from market.shared.principals import MemberSummary
from market.trades.domain import Status, Trade
from tests.support.acts import ACCOUNT, CARD, Acts
from tests.support.barrier import holding
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

MANY = 24


class Slow(MemoryGateway):
    """While it is slow, no look and no closing of an account is answered, or none but about the one
    that is `quick`; counts who waits."""

    slow = False
    quick: str | None = None
    waiting = 0
    most_waiting = 0

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        await self._hang(payment)
        return await super().look(payment)

    async def close_account(self, payment: Payment, reference: str) -> None:
        await self._hang(payment)
        await super().close_account(payment, reference)

    async def _hang(self, payment: Payment) -> None:
        if not self.slow or payment.id == self.quick:
            return
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1


@pytest.fixture
def gateway() -> Slow:
    return Slow()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in earnest."""
    monkeypatch.setattr(sweep, "PATIENCE_S", 1.0)
    monkeypatch.setattr(refunds, "CLOSING_S", 1.0)


async def held(market: Market, acts: Acts, many: int, means: Means | None = None) -> list[Trade]:
    """So many units of one product, each held for somebody who began to pay by these means."""
    product = await acts.product(await acts.member(), many)
    trades = []
    for n in range(many):
        buyer = MemberSummary(MemberId(f"{n + 1:032x}"), f"buyer {n}")
        await market.db.execute(
            """
            INSERT INTO members (id, email, nickname, password_hash, created_at)
            VALUES ($1, $2, $3, '', now())
            """,
            buyer.id,
            f"buyer{n}@example.com",
            buyer.nickname,
        )
        trade = await market.trades.buy(product.id, buyer)
        if means is not None:
            await market.payments.start(trade.id, buyer.id, means)
        trades.append(trade)
    return trades


@pytest.mark.parametrize("means", [CARD, ACCOUNT])
async def test_a_slow_gateway_keeps_no_goods_off_the_market(
    acts: Acts, market: Market, gateway: Slow, clock: MovableClock, means: Means
) -> None:
    trades = await held(market, acts, MANY, means)
    clock.move(days=2)
    gateway.slow = True
    assert await market.sweep.holds() == MANY
    # All of them waited at the same time, and not one after the other.
    assert gateway.most_waiting == MANY
    assert await acts.remaining(trades[0]) == MANY


async def test_accounts_that_were_not_closed_in_time_are_closed_by_a_worker(
    acts: Acts, market: Market, gateway: Slow, clock: MovableClock
) -> None:
    await held(market, acts, 3, ACCOUNT)
    clock.move(days=1)
    gateway.slow = True
    await market.sweep.holds()
    assert gateway.closed == []
    gateway.slow = False
    assert await market.sweep.payments() == 3
    assert len(gateway.closed) == 3


async def test_money_that_could_not_be_seen_at_the_end_of_a_hold_is_seen_at_once_after_it(
    acts: Acts, market: Market, gateway: Slow, clock: MovableClock
) -> None:
    [trade] = await held(market, acts, 1, CARD)
    [id] = gateway.registered
    clock.move(minutes=11)
    gateway.pay(id, 1000)
    gateway.slow = True
    await market.sweep.holds()
    gateway.slow = False
    assert (await acts.now(trade)).status is Status.CANCELLED
    await market.sweep.payments()
    await market.sweep.cancellations()
    assert gateway.cancels == [(id, 1000)]


async def test_a_hold_whose_money_is_seen_in_time_goes_on_though_others_are_slow(
    acts: Acts, market: Market, gateway: Slow, clock: MovableClock
) -> None:
    one, other = await held(market, acts, 2, CARD)
    gateway.quick, _ = gateway.registered
    gateway.pay(gateway.quick, 1000)
    clock.move(minutes=11)
    gateway.slow = True
    await market.sweep.holds()
    assert (await acts.now(one)).status is Status.PAID
    assert (await acts.now(other)).status is Status.CANCELLED


async def test_a_worker_that_fell_behind_catches_up_in_batches(
    acts: Acts, market: Market, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = await held(market, acts, 11)
    clock.move(minutes=11)
    monkeypatch.setattr(sweep, "AT_ONCE", 3)
    monkeypatch.setattr(sweep, "BATCHES", 3)
    assert await market.sweep.holds() == 9  # so many in a row: other jobs are to have their turn
    assert await market.sweep.holds() == 2
    assert await acts.remaining(trades[0]) == 11


async def test_lost_webhooks_of_a_rush_are_caught_up_with_in_batches(
    acts: Acts, market: Market, gateway: Slow, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await held(market, acts, 7, CARD)
    for id in gateway.registered:
        gateway.pay(id, 1000)
    clock.move(minutes=1)
    monkeypatch.setattr(sweep, "AT_ONCE", 3)
    assert await market.sweep.payments() == 7
    statuses = await market.db.fetch("SELECT DISTINCT status FROM payments")
    assert [row["status"] for row in statuses] == [Paid.PAID]


async def test_holds_that_can_not_be_ended_hinder_no_others(
    acts: Acts,
    market: Market,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    dsn: str,
) -> None:
    locked = await acts.trade()
    clock.move(seconds=1)
    trades = await held(market, acts, 2)
    clock.move(minutes=11)
    monkeypatch.setattr(sweep, "AT_ONCE", 1)
    async with holding(dsn, "products", locked.product_id):
        assert await market.sweep.holds() == 2
    assert (await acts.now(locked)).status is Status.AWAITING_PAYMENT
    assert await acts.remaining(trades[0]) == 2
    assert await market.sweep.holds() == 1
