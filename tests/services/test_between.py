"""What comes between two statements, two workers, two requests: each guard against it, alone."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.http.idempotency import (
    LEASE,
    EncodedResponse,
    ExecutionMode,
    IdempotencyKey,
    InProgress,
)
from market.kit.security.encryption import Encryptor
from market.ledger.domain import Transfer, TransferKind
from market.ledger.sql import SqlTransfers
from market.payments.ports import Gateways
from market.payments.sql import SqlCancellations, SqlPayments
from market.settings import Settings
from market.shared.errors import GatewayUnavailable, InvalidTransition
from market.shared.ids import PaymentId
from market.shared.money import Money
from market.shared.pagination import PageRequest
from market.trades.domain import Trade
from tests.support.acts import ACCOUNT, Acts
from tests.support.barrier import at_once, holding
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.interrupted import Interrupted

LATER = timedelta(days=1)
KEY = IdempotencyKey("somebody", "k", b"fingerprint")


# ── between the statements of one request ──


async def test_a_confirmation_that_came_between_is_not_counted_twice(
    acts: Acts, market: Market, settings: Settings, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, _ = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)

    async def confirm() -> Trade:
        return await market.trades.confirm(trade.id, trade.buyer.id)

    overtaken = Interrupted(market.db, "FROM trades t", confirm)
    late = assemble(settings, overtaken, Gateways(gateway), clock, TimeOrderedIds())
    with pytest.raises(InvalidTransition):
        await late.trades.confirm(trade.id, trade.buyer.id)


async def test_a_statement_agrees_with_itself_though_the_books_go_on(db: Database) -> None:
    async def book(source: str) -> None:
        now = datetime.now(UTC)
        transfer = Transfer(TransferKind.CAPTURED, source, "gateway", "escrow", Money(1000), now)
        await SqlTransfers(db).add(transfer)

    await book("first")
    going_on = SqlTransfers(Interrupted(db, "transfers", lambda: book("second")))
    shown = await going_on.statement("escrow", "KRW", None, None, PageRequest(10, None))
    assert sum(line.amount for line in shown.lines) == shown.closing - shown.opening == 1000
    assert await db.fetch_value("SELECT count(*) FROM transfers") == 2


# ── between two workers ──

DUE: dict[str, Callable[[Market], Awaitable[Sequence[Any]]]] = {
    "payments": lambda market: SqlPayments(market.db, Encryptor(["k"])).due(
        market.clock.now() + LATER, 10
    ),
    "payments to check": lambda market: SqlPayments(market.db, Encryptor(["k"])).due_for_check(
        market.clock.now() + LATER, 10
    ),
    "cancellations": lambda market: SqlCancellations(market.db, Encryptor(["k"])).due(
        market.clock.now() + LATER, 10
    ),
    "webhooks": lambda market: market.inbox.waiting(10),
}
WHICH = {
    "payments": "SELECT id FROM payments WHERE look_at IS NOT NULL",
    "payments to check": "SELECT id FROM payments WHERE captured_amount IS NOT NULL",
    "cancellations": "SELECT id FROM cancellations",
    "webhooks": "SELECT id FROM webhooks",
}


@pytest.mark.parametrize("rows", DUE)
async def test_rows_leased_by_one_worker_are_skipped_by_another(
    acts: Acts, market: Market, gateway: MemoryGateway, dsn: str, rows: str
) -> None:
    trade, _ = await acts.paid_trade()
    await acts.payment(await acts.trade())
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    await market.inbox.add("V1", None, {"imp_uid": "imp_1"})
    id = await market.db.fetch_value(WHICH[rows])
    async with holding(dsn, rows.partition(" ")[0], id), market.db.transaction():
        await market.db.execute("SET LOCAL lock_timeout = '50ms'")
        assert await DUE[rows](market) == []
    assert len(await DUE[rows](market)) == 1


async def test_concurrent_requests_get_one_lease_of_an_account(
    acts: Acts, market: Market, gateway: MemoryGateway, dsn: str
) -> None:
    trade = await acts.trade()
    gateway.dead = True
    with pytest.raises(GatewayUnavailable):
        await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.dead = False
    id = await market.db.fetch_value("SELECT id FROM payments")
    begins = [market.payments.start(trade.id, trade.buyer.id, ACCOUNT) for _ in range(2)]
    first, second = await at_once(dsn, "payments", id, *begins, waiting=2)
    assert first.account == second.account is not None
    assert len(gateway.issued) == 1


# ── in the order of locks ──


Act = Callable[[Market, Trade, PaymentId], Coroutine[Any, Any, None]]


async def look_again(market: Market, trade: Trade, payment_id: PaymentId) -> None:
    await market.payments.synchronize(payment_id)


async def call_off(market: Market, trade: Trade, payment_id: PaymentId) -> None:
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "why")


async def refund_a_part(market: Market, trade: Trade, payment_id: PaymentId) -> None:
    await market.refunds.cancel(payment_id, trade.seller.id, 100, "why", None)


@pytest.mark.parametrize("act", [look_again, call_off, refund_a_part])
async def test_a_wait_for_the_product_holds_no_later_lock(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database, dsn: str, act: Act
) -> None:
    trade, payment_id = await acts.paid_trade()
    if act is look_again:
        gateway.give_back(payment_id, 1)  # a look without news waits for nobody
    async with holding(dsn, "products", trade.product_id) as held:
        acting = asyncio.create_task(act(market, trade, payment_id))
        await held.until_waiting(1)
        async with db.transaction():
            for table, id in (("trades", trade.id), ("payments", payment_id)):
                sql = f"SELECT FROM {table} WHERE id = $1 FOR UPDATE NOWAIT"
                assert await db.fetch_one_for_update(sql, id) is not None
    await acting


# ── between two requests with one Idempotency-Key ──


class Called:
    """Work that ends when it is let go, with an answer or in trouble."""

    def __init__(self, end: EncodedResponse | Exception) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self._end = end

    @classmethod
    def at_once(cls) -> "Called":
        """Work that should not be called, and would end at once."""
        work = cls(EncodedResponse(500, b""))
        work.let_go.set()
        return work

    async def __call__(self) -> EncodedResponse:
        self.begun.set()
        await self.let_go.wait()
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


async def begin(market: Market, work: Called) -> "asyncio.Task[EncodedResponse]":
    task = asyncio.create_task(market.idempotency.answer(KEY, ExecutionMode.WITH_GATEWAY, work))
    await work.begun.wait()
    return task


async def test_a_failure_after_its_lease_expired_keeps_the_next_lease(
    market: Market, clock: MovableClock
) -> None:
    slow, next_ = Called(GatewayUnavailable()), Called(EncodedResponse(200, b"{}"))
    first = await begin(market, slow)
    clock.move(seconds=LEASE.total_seconds())
    second = await begin(market, next_)
    slow.let_go.set()
    with pytest.raises(GatewayUnavailable):
        await first
    with pytest.raises(InProgress):
        await market.idempotency.answer(KEY, ExecutionMode.WITH_GATEWAY, Called.at_once())
    next_.let_go.set()
    assert await second == EncodedResponse(200, b"{}")


async def test_a_clock_that_is_put_back_does_not_prolong_a_claim(
    market: Market, clock: MovableClock
) -> None:
    slow = Called(EncodedResponse(200, b"{}"))
    first = await begin(market, slow)
    clock.move(hours=-1)
    again = await market.idempotency.answer(KEY, ExecutionMode.WITH_GATEWAY, Called.at_once())
    assert again.status == 500
    slow.let_go.set()
    await first


async def test_the_first_stored_response_stands(market: Market, clock: MovableClock) -> None:
    slow, quick = Called(EncodedResponse(200, b'"slow"')), Called(EncodedResponse(200, b'"quick"'))
    first = await begin(market, slow)
    clock.move(seconds=LEASE.total_seconds())
    second = await begin(market, quick)
    for work, task in ((quick, second), (slow, first)):
        work.let_go.set()
        await task
    kept = await market.idempotency.answer(KEY, ExecutionMode.WITH_GATEWAY, Called.at_once())
    assert kept == EncodedResponse(200, b'"quick"')


async def test_an_interruption_has_a_transaction_of_its_own(db: Database) -> None:
    """What these tests rest on."""
    seen: list[int] = []

    async def meanwhile() -> None:
        seen.append(await db.fetch_value("SELECT pg_backend_pid()"))

    interrupted = Interrupted(db, "pg_backend_pid", meanwhile)
    async with interrupted.transaction():
        (row,) = await interrupted.fetch("SELECT pg_backend_pid()")
    assert seen
    assert seen != [row[0]]
