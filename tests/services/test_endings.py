"""Refunds that end later than they are answered, and those that never do."""

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.cancellation import RefundRefused
from market.payments.incident import OwnTrade
from market.payments.record import RefundState, Transfer
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import Invalid, InvalidTransition
from market.shared.ids import PaymentId
from market.shared.principals import Party
from market.trades.domain import Status, Trade
from market.verify import broken
from tests.support.acts import ACCOUNT, Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway, nothing, unanswered

MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")
AMOUNTS = pytest.mark.parametrize("amount", [None, 400])


async def told(db: Database, kind: str) -> int:
    return int(await db.fetch_value("SELECT count(*) FROM notices WHERE kind = $1", kind))


async def states(db: Database) -> list[str]:
    rows = await db.fetch("SELECT status FROM cancellations ORDER BY id")
    return [row["status"] for row in rows]


async def a_refund_in_progress(
    acts: Acts, gateway: MemoryGateway, sender: Party, amount: int | None
) -> tuple[Trade, PaymentId]:
    """A refund of a paid trade, which the gateway has accepted and not finished."""
    trade, payment_id = await acts.paid_trade()
    gateway.take_up = True
    member = trade.buyer if sender is Party.BUYER else trade.seller
    await acts.market.refunds.cancel(payment_id, member.id, amount, "why", None)
    return trade, payment_id


@AMOUNTS
async def test_a_refund_that_was_taken_up_and_fails_is_noticed_within_the_hour(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    trade, payment_id = await a_refund_in_progress(acts, gateway, Party.BUYER, amount)
    clock.move(days=2)
    for _ in range(3):
        await market.sweep.cancellations()
        clock.move(hours=1)
    assert gateway.cancels == [(payment_id, amount or 1000)], "asked again while it is under way"
    with pytest.raises(InvalidTransition):
        await market.trades.approve(trade.id, trade.seller.id)
    gateway.finish(payment_id, RefundState.FAILED)
    clock.move(hours=1)
    await market.sweep.cancellations()
    assert await states(db) == ["FAILED"]
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_refused"
    assert await told(db, "REFUND_REFUSED") == 2
    await market.trades.approve(trade.id, trade.seller.id)
    for _ in range(5):
        clock.move(days=1)
        await market.sweep.cancellations()
    assert len(gateway.cancels) == 1
    assert await broken(db) == []


@AMOUNTS
async def test_a_refund_that_was_taken_up_and_succeeds_is_settled(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    trade, payment_id = await a_refund_in_progress(acts, gateway, Party.SELLER, amount)
    assert (await acts.now(trade)).is_busy
    gateway.finish(payment_id, RefundState.SUCCEEDED)
    clock.move(hours=1)
    await market.sweep.cancellations()
    assert await states(db) == ["SUCCEEDED"]
    after = await acts.now(trade)
    assert (after.status, after.refunded) == (
        (Status.PAID, 400) if amount else (Status.CANCELLED, 0)
    )
    assert await broken(db) == []


async def test_what_we_owe_and_the_company_could_not_send_is_asked_for_again(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 999)
    gateway.take_up = True
    await market.payments.synchronize(payment.id)
    await market.sweep.cancellations()
    gateway.finish(payment.id, RefundState.FAILED)
    clock.move(hours=1)
    await market.sweep.cancellations()
    assert await states(db) == ["REQUESTED"]
    gateway.take_up = False
    clock.move(days=1)
    await market.sweep.cancellations()
    assert gateway.cancels == [(payment.id, 999)] * 2
    assert await states(db) == ["SUCCEEDED"]


async def test_a_yes_that_no_record_shows_is_not_asked_for_again(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    """V1's record tells of no refund that is under way: asked again, it might go back twice."""
    trade, payment_id = await acts.paid_trade()
    gateway.take_up, gateway.tells_refunds = True, False
    await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None)
    for _ in range(50):
        clock.move(hours=1)
        await market.sweep.cancellations()
    assert len(gateway.cancels) == 1
    gateway.give_back(payment_id, 400)
    clock.move(hours=1)
    await market.sweep.cancellations()
    assert await states(db) == ["SUCCEEDED"]


@AMOUNTS
async def test_a_refusal_after_a_lost_answer_ends_it_once_no_try_can_succeed(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.before_cancel = unanswered
    await market.refunds.cancel(payment_id, trade.buyer.id, amount, "why", None)
    gateway.refuse = "the company says no"
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert await states(db) == ["REQUESTED"], "the first try may be under way yet"
    clock.move(minutes=5)
    await market.sweep.cancellations()
    assert await states(db) == ["FAILED"]
    assert await told(db, "REFUND_REFUSED") == 2
    await market.trades.approve(trade.id, trade.seller.id)
    assert await acts.remaining(trade) == 0
    assert await broken(db) == []


async def test_where_repeats_get_the_old_answer_one_refusal_means_all_tries(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.repeats_answers = True
    gateway.before_cancel = unanswered
    await market.refunds.cancel(payment_id, trade.buyer.id, None, "why", None)
    gateway.refuse = "the company says no"
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert await states(db) == ["FAILED"]
    await market.trades.approve(trade.id, trade.seller.id)


async def test_a_refusal_for_another_refund_under_way_waits_for_its_end(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    """Somebody sends a part back in the gateway's console, and its bank takes its time."""
    trade, payment_id = await a_refund_in_progress(acts, gateway, Party.SELLER, 400)
    await db.execute("UPDATE cancellations SET status = 'FAILED', settled_at = now()")
    await db.execute("UPDATE trades SET refunding = false")
    gateway.take_up = False
    await market.refunds.cancel(payment_id, trade.buyer.id, None, "why", None)
    assert (await acts.now(trade)).is_cancelling
    assert await db.fetch_value("SELECT count(*) FROM incidents") == 0
    gateway.finish(payment_id, RefundState.FAILED)
    for _ in range(2):
        clock.move(hours=1)
        await market.sweep.cancellations()
    assert gateway.cancels == [(payment_id, 400), (payment_id, 1000)]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_money_that_goes_back_after_a_refusal_is_found_soon(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    """A company's own time-out is a refusal, too: it may have done it all the same."""
    trade, payment_id = await acts.paid_trade()
    gateway.refuse = "[PG] no answer in time"
    with pytest.raises(RefundRefused):
        await market.refunds.cancel(payment_id, trade.buyer.id, None, "why", None)
    gateway.refuse = None
    for minutes in (1, 5, 60):
        clock.move(minutes=minutes)
        await market.sweep.cancellations()
        assert (await acts.now(trade)).status is Status.PAID
    gateway.give_back(payment_id, 1000)
    clock.move(days=1)
    await market.sweep.cancellations()
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await db.fetch_value("SELECT try_at FROM cancellations") is None
    assert await broken(db) == []


async def test_a_death_between_the_question_and_the_answer_leaves_no_refusal_to_believe(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()

    async def die() -> None:
        raise KeyboardInterrupt

    gateway.before_cancel = die
    with pytest.raises(KeyboardInterrupt):
        await market.refunds.cancel(payment_id, trade.buyer.id, None, "why", None)
    gateway.before_cancel, gateway.refuse = nothing, "another cancel is under way"
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert await states(db) == ["REQUESTED"]
    gateway.give_back(payment_id, 1000)
    clock.move(hours=1)
    await market.sweep.cancellations()
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_each_wish_after_a_no_is_another_wish(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 999)
    gateway.refuse = "maintenance"
    await market.payments.synchronize(payment.id)
    for _ in range(3):
        await market.sweep.cancellations()
        clock.move(days=1)
    assert await db.fetch_value("SELECT answers FROM cancellations") == 3


async def test_a_refund_that_failed_waits_for_no_account_any_more(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    await market.refunds.cancel(payment.id, trade.seller.id, None, "broken", None)
    assert [one.kind async for one in market.operators.incidents()] == ["refund_account_needed"]
    gateway.refuse = "no such account"
    with pytest.raises(RefundRefused):
        await market.refunds.send_to(payment.id, trade.buyer.id, MINE)
    assert [one.kind async for one in market.operators.incidents()] == ["refund_refused"]
    assert await market.refunds.waiting_for_account(trade.id) is None


# ── sent on by a bank ──


async def booked(
    acts: Acts, market: Market, gateway: MemoryGateway, amount: int | None
) -> tuple[Trade, PaymentId]:
    """A deposit that goes back, as far as its gateway is concerned."""
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    gateway.refunds_wait = True
    await market.refunds.cancel(payment.id, trade.buyer.id, amount, "why", MINE)
    return trade, payment.id


async def kept(db: Database) -> int:
    return int(await db.fetch_value("SELECT count(refund_account) FROM cancellations"))


@AMOUNTS
async def test_the_account_of_a_refund_is_kept_until_the_money_has_reached_it(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    _, payment_id = await booked(acts, market, gateway, amount)
    assert (await states(db), await kept(db)) == (["SUCCEEDED"], 1)
    clock.move(days=3)
    await market.sweep.everything()
    assert await kept(db) == 1
    gateway.transfer(payment_id, Transfer.COMPLETED)
    clock.move(hours=1)
    await market.sweep.everything()
    assert await kept(db) == 0
    assert await db.fetch_value("SELECT count(*) FROM incidents") == 0
    assert await db.fetch_value("SELECT look_at FROM payments") is None
    assert await broken(db) == []


@AMOUNTS
async def test_a_bank_that_can_t_send_it_on_has_the_buyer_asked_for_another_account(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    trade, payment_id = await booked(acts, market, gateway, amount)
    gateway.transfer(payment_id, Transfer.FAILED)
    for _ in range(3):
        clock.move(hours=1)
        await market.sweep.everything()
    assert await told(db, "ACCOUNT_NEEDED") == 1
    assert [one.kind async for one in market.operators.incidents()] == ["refund_transfer_failed"]
    assert await market.refunds.waiting_for_account(trade.id) == payment_id
    assert await broken(db) == []
    await market.refunds.send_to(payment_id, trade.buyer.id, MINE)
    assert await market.refunds.waiting_for_account(trade.id) is None
    assert await kept(db) == 1
    assert len(gateway.cancels) == 1, "nothing is sent twice by itself"
    gateway.transfer(payment_id, Transfer.COMPLETED)
    clock.move(hours=1)
    await market.sweep.everything()
    assert await kept(db) == 0
    assert [one.kind async for one in market.operators.incidents()] == []
    assert await broken(db) == []


# ── given up by an operator, and overdue ──


@AMOUNTS
async def test_an_operator_gives_up_a_refund_that_does_not_end(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    clock: MovableClock,
    db: Database,
    amount: int | None,
) -> None:
    trade, payment_id = await a_refund_in_progress(acts, gateway, Party.BUYER, amount)
    clock.move(days=8)
    await market.sweep.everything()
    assert [await market.sweep.overdue() for _ in range(2)] == [1, 0]
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_overdue"
    with pytest.raises(OwnTrade):
        await market.refunds.give_up(payment_id, trade.seller.id, "I want to sell")
    operator = (await acts.member()).id
    with pytest.raises(Invalid):
        await market.refunds.give_up(payment_id, operator, " ")
    await market.refunds.give_up(payment_id, operator, "PortOne says it is lost")
    assert await states(db) == ["FAILED"]
    assert [one async for one in market.operators.incidents()] == []
    act = "SELECT actor || ': ' || reason FROM operator_acts"
    assert await db.fetch_value(act) == f"{operator}: PortOne says it is lost"
    await market.trades.approve(trade.id, trade.seller.id)
    with pytest.raises(InvalidTransition):
        await market.refunds.give_up(payment_id, operator, "once more")
    assert await broken(db) == []
    # And it succeeds all the same.
    gateway.finish(payment_id, RefundState.SUCCEEDED)
    clock.move(hours=1)
    await market.sweep.everything()
    after = await acts.now(trade)
    assert (after.status, after.refunded) == (
        (Status.SALE_APPROVED, 400) if amount else (Status.CANCELLED, 0)
    )
    assert await broken(db) == []


async def test_what_the_market_owes_can_be_given_up_and_asked_for_again(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 999)
    gateway.refuse = "never"
    await market.payments.synchronize(payment.id)
    await market.sweep.cancellations()
    operator = (await acts.member()).id
    await market.refunds.give_up(payment.id, operator, "paid out by hand")
    assert await states(db) == ["FAILED"]
    assert await broken(db) == []
    assert await told(db, "REFUND_REFUSED") == 0
    gateway.refuse = None
    await market.refunds.cancel(payment.id, operator, None, "it works now", None, operator=True)
    assert gateway.cancels == [(payment.id, 999)]
    assert await broken(db) == []


async def test_a_refund_that_has_ended_by_now_is_not_given_up(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, payment_id = await a_refund_in_progress(acts, gateway, Party.BUYER, None)
    gateway.finish(payment_id, RefundState.SUCCEEDED)
    with pytest.raises(InvalidTransition):
        await market.refunds.give_up(payment_id, (await acts.member()).id, "too slow")
    assert await states(db) == ["SUCCEEDED"]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_an_account_that_a_refund_never_reached_is_given_up(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade, payment_id = await booked(acts, market, gateway, None)
    gateway.transfer(payment_id, Transfer.FAILED)
    clock.move(days=8)
    await market.sweep.everything()
    assert await market.sweep.overdue() == 1
    await market.refunds.give_up(payment_id, (await acts.member()).id, "paid out by hand")
    assert await kept(db) == 0
    assert [one async for one in market.operators.incidents()] == []
    assert await market.refunds.waiting_for_account(trade.id) is None
    assert await states(db) == ["SUCCEEDED"]
    assert await broken(db) == []


async def test_a_paid_trade_that_nobody_takes_further_is_told_of_once(
    acts: Acts, market: Market, clock: MovableClock, db: Database
) -> None:
    trade, _ = await acts.paid_trade()
    clock.move(days=29)
    await market.trades.approve(trade.id, trade.seller.id)
    clock.move(days=29)
    assert await market.sweep.overdue() == 0
    clock.move(days=2)
    assert [await market.sweep.overdue() for _ in range(2)] == [1, 0]
    assert await db.fetch_value("SELECT kind FROM incidents") == "trade_overdue"
