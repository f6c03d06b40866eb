"""Beginning to pay: no window before the gateway knows the amount, one account however many ask."""

import asyncio
from datetime import timedelta

import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.payments.domain import ISSUE_LEASE, Method, Payment, Status
from market.payments.ports import GatewayRefused, Gateways
from market.settings import Settings
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money
from tests.support.acts import ACCOUNT, Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway, nothing, unanswered

# ── P2: the gateway knows the amount before any window opens ──


async def test_no_window_opens_before_the_amount_is_registered(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.dead = True
    with pytest.raises(GatewayUnavailable):
        await acts.payment(trade)
    _, receipt = await market.trades.see(trade.id, trade.buyer.id)
    assert receipt is not None
    begun = await market.payments.see(receipt.id, trade.buyer.id)
    assert (begun.status, begun.opens_window) == (Status.READY, False)
    gateway.dead = False
    again = await acts.payment(trade)
    assert (again.id, again.opens_window) == (begun.id, True)
    assert gateway.registered == {begun.id: Money(1000)}


async def test_an_account_opens_no_window(acts: Acts, market: Market) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert (payment.method, payment.opens_window) == (Method.VIRTUAL_ACCOUNT, False)


# ── one account, however many ask (P6) ──


async def test_four_concurrent_begins_open_one_account_that_all_see(
    acts: Acts, gateway: MemoryGateway, settings: Settings, db: Database, clock: MovableClock
) -> None:
    trade = await acts.trade()

    async def begin() -> Payment:
        return await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)

    async def others_come() -> None:
        gateway.before_issue = nothing  # once
        others.extend(asyncio.ensure_future(begin()) for _ in range(3))
        await all_wait.wait()

    waiting, all_wait = 0, asyncio.Event()

    async def pause(_: float) -> None:
        nonlocal waiting
        waiting += 1
        if waiting >= 3:
            all_wait.set()
        await asyncio.sleep(0)

    market = assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds(), pause=pause)
    others: list[asyncio.Future[Payment]] = []
    gateway.before_issue = others_come
    first = await begin()
    accounts = {first.account} | {payment.account for payment in await asyncio.gather(*others)}
    assert len(gateway.issued) == 1
    assert accounts == {first.account}
    assert first.account is not None


@pytest.mark.parametrize(
    "by", [{"seconds": ISSUE_LEASE.total_seconds()}, {"hours": -1}], ids=["later", "put back"]
)
async def test_who_waits_for_an_account_too_long_is_told_to_come_again(
    acts: Acts,
    gateway: MemoryGateway,
    settings: Settings,
    db: Database,
    clock: MovableClock,
    by: dict[str, float],
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    market = assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds(), pause=pause)
    trade = await acts.trade()
    gateway.dead = True
    with pytest.raises(GatewayUnavailable):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.dead = False
    # A process that died while it asked still has the lease.
    until = clock.now() + ISSUE_LEASE
    await market.db.execute("UPDATE payments SET issuing_until = $1", until)
    with pytest.raises(GatewayUnavailable):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert sum(pauses) <= 10  # nobody waits longer for an answer
    assert gateway.issued == []
    clock.move(**by)
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert payment.status is Status.VIRTUAL_ACCOUNT_ISSUED
    assert len(gateway.issued) == 1


async def test_an_answer_that_was_lost_keeps_nobody_from_asking_again(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.before_issue = unanswered
    with pytest.raises(GatewayUnavailable):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert (await one_payment(market)) == {"issuing_until": None, "answers": 0}
    gateway.before_issue = nothing
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert payment.status is Status.VIRTUAL_ACCOUNT_ISSUED


# ── the hold is stretched by an account alone (B20) ──


async def test_an_account_that_was_refused_holds_the_unit_no_longer(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.refuse = "the bank is closed"
    with pytest.raises(GatewayRefused):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert (await acts.now(trade)).hold_expires_at == trade.hold_expires_at
    assert (await one_payment(market)) == {"issuing_until": None, "answers": 1}
    gateway.refuse = None
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    held = (await acts.now(trade)).hold_expires_at
    assert payment.account is not None
    assert held == payment.account.due_at == trade.created_at + timedelta(hours=24)


async def test_an_account_nobody_answered_for_holds_the_unit_once_it_is_seen(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.lose_answer = True
    with pytest.raises(GatewayUnavailable):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    assert (await acts.now(trade)).hold_expires_at == trade.hold_expires_at
    (id,) = gateway.records
    await market.payments.synchronize((await market.payments.see(id, trade.buyer.id)).id)  # type: ignore[arg-type]
    held = (await acts.now(trade)).hold_expires_at
    assert held == trade.created_at + timedelta(hours=24)


async def one_payment(market: Market) -> dict[str, object]:
    (row,) = await market.db.fetch("SELECT issuing_until, answers FROM payments")
    return dict(row)
