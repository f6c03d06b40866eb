"""Cancelling: the money goes back exactly once, whatever happens to the answer (P7, P8)."""

import asyncio

import pytest

from market.app import Market
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.payments.cancellation import CancellationInProgress, RefundRefused
from market.payments.domain import ExceedsCancellable
from market.payments.domain import Status as Paid
from market.shared.errors import Conflict, InvalidTransition
from market.shared.ids import CancellationId
from market.trades.domain import Status
from tests.support.acts import Acts
from tests.support.barrier import at_once
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway, unanswered


async def test_an_unpaid_trade_dies_at_once_and_its_payment_with_it(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await acts.remaining(trade) == 1
    assert (await market.payments.see(payment.id, trade.buyer.id)).status is Paid.EXPIRED


async def test_money_that_comes_after_the_trade_was_called_off_goes_back(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.pay(payment.id, 1000)
    await market.payments.complete(payment.id, trade.buyer.id)
    await market.sweep.cancellations()
    assert gateway.cancels == [(payment.id, 1000)]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_a_paid_trade_dies_when_its_money_is_back(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert gateway.cancels == [(payment_id, 1000)]
    dead = await acts.now(trade)
    assert (dead.status, dead.is_cancelling) == (Status.CANCELLED, False)
    assert await acts.remaining(trade) == 1


async def test_who_was_cancelled_may_buy_again(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "sold elsewhere")
    again = await market.trades.buy(trade.product_id, trade.buyer)
    assert again.id != trade.id


async def test_a_lost_answer_is_resolved_by_looking_never_by_sending_twice(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.lose_answer = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert (await acts.now(trade)).is_cancelling
    assert await acts.remaining(trade) == 0
    gateway.lose_answer = False
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert gateway.cancels == [(payment_id, 1000)]


async def test_a_dead_gateway_is_asked_again_until_it_answers(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    for _ in range(3):
        clock.move(days=1)
        await market.sweep.cancellations()
    assert (await acts.now(trade)).is_cancelling
    gateway.dead = False
    clock.move(days=1)
    await market.sweep.cancellations()
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert gateway.cancels == [(payment_id, 1000)]


async def test_nothing_else_happens_to_a_trade_on_its_way_out(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, _ = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    with pytest.raises(InvalidTransition):
        await market.trades.approve(trade.id, trade.seller.id)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "again")


async def test_a_refund_the_gateway_refuses_leaves_the_trade_and_tells_the_operators(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, _ = await acts.paid_trade()
    gateway.refuse = "the contract does not allow it"
    with pytest.raises(RefundRefused):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    after = await acts.now(trade)
    assert (after.status, after.is_cancelling) == (Status.PAID, False)
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_refused"
    await market.trades.approve(trade.id, trade.seller.id)


async def test_a_partial_cancel_in_the_console_leaves_only_the_rest_to_send_back(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.dead = False
    gateway.give_back(payment_id, 300)
    clock.move(minutes=1)
    await market.sweep.cancellations()  # refused: the balance is another
    await market.sweep.cancellations()
    assert gateway.cancels == [(payment_id, 700)]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_a_cancel_in_the_console_is_found_and_ends_the_trade(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.give_back(payment_id, 1000)
    await market.payments.synchronize(payment_id)
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await acts.remaining(trade) == 1


async def test_buyer_cancels_while_seller_approves_and_exactly_one_wins_100_times(
    acts: Acts, market: Market, dsn: str
) -> None:
    seller = await acts.member()
    product = await acts.product(seller, quantity=100)
    for turn in range(100):
        trade = await market.trades.buy(product.id, await acts.member())
        await acts.pay(trade)
        both = [
            market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why"),
            market.trades.approve(trade.id, trade.seller.id),
        ]
        # Both want the trade; who comes first takes turns.
        at_gate = await at_once(
            dsn, "trades", trade.id, *(both if turn % 2 else both[::-1]), waiting=2
        )
        outcomes = at_gate if turn % 2 else at_gate[::-1]
        lost = [isinstance(outcome, InvalidTransition) for outcome in outcomes]
        assert sorted(lost) == [False, True], outcomes
        expected = Status.CANCELLED if lost[1] else Status.SALE_APPROVED
        assert (await acts.now(trade)).status is expected


async def test_seller_cancels_while_buyer_confirms_and_exactly_one_wins(
    acts: Acts, market: Market, dsn: str
) -> None:
    for turn in range(10):
        trade, _ = await acts.paid_trade()
        await market.trades.approve(trade.id, trade.seller.id)
        both = [
            market.refunds.cancel_purchase(trade.id, trade.seller.id, "why"),
            market.trades.confirm(trade.id, trade.buyer.id),
        ]
        # Both have read the trade; both now want its product. Who comes first takes turns.
        both = both if turn % 2 else both[::-1]
        outcomes = await at_once(dsn, "products", trade.product_id, *both, waiting=2)
        lost = [isinstance(outcome, InvalidTransition) for outcome in outcomes]
        assert sorted(lost) == [False, True], outcomes
        cancelled = lost.index(False) == (0 if turn % 2 else 1)
        expected = Status.CANCELLED if cancelled else Status.PURCHASE_CONFIRMED
        assert (await acts.now(trade)).status is expected


async def test_two_who_settle_one_cancellation_send_the_money_once(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.dead = False
    clock.move(minutes=1)
    id = await db.fetch_value("SELECT id FROM cancellations")
    await asyncio.gather(*(market.refunds.settle(id) for _ in range(5)))
    assert gateway.cancels == [(payment_id, 1000)]
    assert await db.fetch_value("SELECT count(*) FROM transfers WHERE kind = 'RETURNED'") == 1


async def test_a_second_press_while_the_first_is_in_flight_tries_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        asked.set()
        await answer.wait()

    gateway.before_cancel = hang
    first = asyncio.create_task(
        market.refunds.cancel_purchase(trade.id, trade.buyer.id, "changed my mind")
    )
    await asked.wait()
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "me too")
    assert (await acts.now(trade)).is_cancelling
    answer.set()
    await first
    assert gateway.cancels == [(payment_id, 1000)]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_a_refusal_while_an_earlier_try_may_still_succeed_ends_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.before_cancel = unanswered
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.refuse = "a cancellation is in progress"
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert (await acts.now(trade)).is_cancelling
    with pytest.raises(InvalidTransition):
        await market.trades.approve(trade.id, trade.seller.id)
    gateway.give_back(payment_id, 1000)  # the first try got through after all
    await market.payments.synchronize(payment_id)
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_what_never_left_was_no_try_and_a_refusal_then_is_one(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, _ = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.dead, gateway.refuse = False, "the contract does not allow it"
    clock.move(minutes=1)
    await market.sweep.cancellations()
    assert not (await acts.now(trade)).is_cancelling
    await market.trades.approve(trade.id, trade.seller.id)


async def test_what_we_owe_back_ourselves_is_asked_for_until_it_goes(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    gateway.refuse = "maintenance"
    await market.sweep.cancellations()
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_refused"
    gateway.refuse = None
    clock.move(days=1)
    await market.sweep.cancellations()
    assert gateway.cancels == [(payment.id, 1000)]


async def test_a_repeated_cancel_of_ones_own_is_answered_and_changes_nothing(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade()
    for _ in range(2):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert await acts.remaining(trade) == 1
    with pytest.raises(InvalidTransition):
        await market.refunds.cancel_purchase(trade.id, trade.seller.id, "why")


async def test_a_part_that_goes_back_lets_the_trade_go_on_for_less(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    after = await market.refunds.cancel(payment_id, trade.seller.id, 300, "a scratch", None)
    assert (after.status, after.cancelled) == (Paid.PARTIALLY_CANCELLED, 300)
    assert (await acts.now(trade)).refunded == 300
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    rows = await db.fetch("SELECT account, balance FROM balances")
    balances = {row["account"]: row["balance"] for row in rows}
    # 3.5 % of the 700 that are left is 24.5: rounded down.
    assert balances == {f"seller:{trade.seller.id}": 676, "fees": 24, "escrow": 0, "gateway": -700}


async def test_of_two_partial_cancels_of_60_on_100_one_is_refused(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    both = [market.refunds.cancel(payment_id, trade.buyer.id, 600, "why", None) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(refused) == 1, outcomes
    assert gateway.cancels == [(payment_id, 600)]
    with pytest.raises(ExceedsCancellable):
        await market.refunds.cancel(payment_id, trade.buyer.id, 600, "again", None)


async def test_nothing_is_confirmed_while_a_part_is_on_its_way_back(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    gateway.dead = True
    await market.refunds.cancel(payment_id, trade.seller.id, 300, "a scratch", None)
    assert await market.refunds.is_under_way(payment_id)
    with pytest.raises(InvalidTransition):
        await market.trades.confirm(trade.id, trade.buyer.id)
    with pytest.raises(CancellationInProgress):
        await market.refunds.cancel_purchase(trade.id, trade.seller.id, "all of it")
    gateway.dead = False
    clock.move(minutes=1)
    await market.sweep.cancellations()
    await market.trades.confirm(trade.id, trade.buyer.id)


async def test_a_part_under_way_is_not_taken_for_all_though_the_console_sent_the_rest(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    """600 of 1000 are asked for without an answer, then the console sends 400 back: what is left
    is as much as what was asked for, but that one leaves 400 to be kept."""
    trade, payment_id = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel(payment_id, trade.seller.id, 600, "a scratch", None)
    gateway.dead = False
    gateway.give_back(payment_id, 400)
    await market.payments.synchronize(payment_id)
    with pytest.raises(CancellationInProgress):
        await market.refunds.cancel_purchase(trade.id, trade.seller.id, "all of it")
    assert not (await acts.now(trade)).is_cancelling


async def test_all_that_is_left_calls_the_trade_off(acts: Acts, market: Market) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.refunds.cancel(payment_id, trade.buyer.id, 400, "why", None)
    after = await market.refunds.cancel(payment_id, trade.buyer.id, None, "the rest", None)
    assert after.status is Paid.CANCELLED
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_money_taken_back_after_the_seller_was_credited_is_told_to_operators(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    gateway.give_back(payment_id, 1000)
    await market.payments.synchronize(payment_id)
    assert await db.fetch_value("SELECT kind FROM incidents") == "returned_after_settlement"


async def test_each_return_after_the_settlement_is_one_more_thing_to_sort_out(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    for amount in (100, 900):
        gateway.give_back(payment_id, amount)
        await market.payments.synchronize(payment_id)
    told = await db.fetch("SELECT seen->>'amount' AS amount FROM incidents ORDER BY id")
    assert [row["amount"] for row in told] == ["100", "900"]


async def test_a_part_asked_for_again_after_its_answer_was_lost_goes_back_once(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    """The process died between the refund and the answer, the worker settled it, and the client
    repeats: it is the same wish, not another."""
    trade, payment_id = await acts.paid_trade()
    wish = CancellationId(TimeOrderedIds().new())
    for amount in (500, 500):
        payment = await market.refunds.cancel(
            payment_id, trade.buyer.id, amount, "a scratch", None, wish
        )
        assert (payment.cancelled, payment.cancellable) == (500, 500)
    assert gateway.cancels == [(payment_id, 500)]


async def test_all_asked_for_again_after_its_answer_was_lost_is_no_refusal(
    acts: Acts, market: Market
) -> None:
    trade, payment_id = await acts.paid_trade()
    wish = CancellationId(TimeOrderedIds().new())
    for _ in range(2):
        payment = await market.refunds.cancel(
            payment_id, trade.buyer.id, 1000, "changed my mind", None, wish
        )
        assert payment.cancelled == 1000
