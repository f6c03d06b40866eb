"""Statements: one account, in the order in which things happened (P9)."""

from datetime import UTC, datetime, timedelta

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.ledger.domain import ESCROW, FEES, GATEWAY, Balance, Transfer, TransferKind
from market.ledger.service import PAGE_SIZE
from market.ledger.sql import SqlTransfers
from market.shared.errors import Invalid
from market.shared.money import Money
from market.shared.pagination import PageRequest
from tests.support.acts import Acts

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def capture(
    db: Database, source: str, amount: int, at: datetime, currency: str = "KRW"
) -> None:
    money = Money(amount, currency)
    await SqlTransfers(db).add(Transfer(TransferKind.CAPTURED, source, GATEWAY, ESCROW, money, at))


async def test_a_sale_from_each_side(acts: Acts, market: Market) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    seller = f"seller:{trade.seller.id}"
    shown = {}
    for account in (GATEWAY, ESCROW, seller, FEES):
        statement = await market.ledger.statement(account)
        shown[account] = [(line.counter_account, line.amount) for line in statement.lines]
        assert (statement.opening, statement.next_cursor) == (0, None)
        assert statement.closing == sum(line.amount for line in statement.lines)
    assert shown == {
        GATEWAY: [(ESCROW, -1000)],
        ESCROW: [(GATEWAY, 1000), (seller, -965), (FEES, -35)],
        seller: [(ESCROW, 965)],
        FEES: [(ESCROW, 35)],
    }
    (line,) = (await market.ledger.statement(GATEWAY)).lines
    assert (line.kind, line.source) == (TransferKind.CAPTURED, payment_id)
    assert await market.ledger.balances() == [
        Balance(ESCROW, "KRW", 0),
        Balance(FEES, "KRW", 35),
        Balance(GATEWAY, "KRW", -1000),
        Balance(seller, "KRW", 965),
    ]


async def test_a_transfer_recorded_late_stands_at_the_time_of_its_cause(
    market: Market, db: Database
) -> None:
    await capture(db, "noon", 100, START + 12 * HOUR)
    await capture(db, "morning, heard of at noon", 10, START + 9 * HOUR)
    before_noon = await market.ledger.statement(ESCROW, START, START + 12 * HOUR)
    after = await market.ledger.statement(ESCROW, START + 12 * HOUR)
    assert [(line.source, line.amount) for line in before_noon.lines] == [
        ("morning, heard of at noon", 10)
    ]
    assert (before_noon.opening, before_noon.closing) == (0, 10)
    assert (after.opening, after.closing) == (10, 110)
    whole = (await market.ledger.statement(ESCROW)).lines
    assert [line.amount for line in whole] == [10, 100]
    assert whole[0].recorded_at > whole[1].recorded_at > whole[1].occurred_at


async def test_a_period_includes_its_start_and_excludes_its_end(
    market: Market, db: Database
) -> None:
    for hour in range(4):
        await capture(db, f"{hour}", 10**hour, START + hour * HOUR)
    statement = await market.ledger.statement(ESCROW, START + HOUR, START + 3 * HOUR)
    assert [line.amount for line in statement.lines] == [10, 100]
    assert (statement.opening, statement.closing) == (1, 111)


async def test_a_period_without_transfers_has_balances(market: Market, db: Database) -> None:
    await capture(db, "1", 7, START)
    statement = await market.ledger.statement(ESCROW, START + HOUR, START + 2 * HOUR)
    assert (statement.opening, statement.lines, statement.closing) == (7, [], 7)
    nobody = await market.ledger.statement("seller:nobody")
    assert (nobody.opening, nobody.lines, nobody.closing, nobody.next_cursor) == (0, [], 0, None)


async def test_a_statement_has_one_currency(market: Market, db: Database) -> None:
    await capture(db, "1", 7, START)
    await capture(db, "2", 9, START, "USD")
    assert (await market.ledger.statement(ESCROW)).closing == 7
    assert (await market.ledger.statement(ESCROW, currency="USD")).closing == 9


async def test_pages_are_complete_when_all_transfers_have_one_time(
    market: Market, db: Database
) -> None:
    for number in range(5):
        await capture(db, f"{number}", 1 + number, START + HOUR * (number // 3))
    amounts, cursor = [], None
    while True:
        page = await market.ledger.statement(ESCROW, wanted=PageRequest(2, cursor))
        assert (page.opening, page.closing) == (0, 15)
        amounts.append([line.amount for line in page.lines])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert amounts == [[1, 2], [3, 4], [5]]


async def test_a_long_statement_is_whole(market: Market, db: Database) -> None:
    await db.execute(
        """
        INSERT INTO transfers (kind, source, debit, credit, amount, currency, occurred_at)
        SELECT 'CAPTURED', n, 'gateway', 'escrow', 1, 'KRW', now() FROM generate_series(1, $1) AS n
        """,
        PAGE_SIZE + 1,
    )
    pages = [page async for page in market.ledger.pages(ESCROW)]
    assert [len(page.lines) for page in pages] == [PAGE_SIZE, 1]


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", f"{10**30}.1", ".", f"1.{2**63}", "1.-1"])
async def test_a_foreign_cursor_is_refused(market: Market, cursor: str) -> None:
    with pytest.raises(Invalid):
        await market.ledger.statement(ESCROW, wanted=PageRequest(2, cursor))
