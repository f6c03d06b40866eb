"""Paying: the gateway's record is the only witness, and no money is lost (P2–P6)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.domain import Status as Paid
from market.payments.ports import GatewayRefused
from market.shared.errors import GatewayUnavailable, InvalidTransition, NotFound
from market.shared.ids import PaymentId
from market.shared.money import Money
from market.trades.domain import HoldExpired, NotYourPart, Status
from tests.support.acts import CARD, Acts
from tests.support.barrier import at_once
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway


async def transfers(db: Database, kind: str) -> int:
    count = await db.fetch_value("SELECT count(*) FROM transfers WHERE kind = $1", kind)
    return int(count)


async def incidents(db: Database) -> list[str]:
    return [row["kind"] for row in await db.fetch("SELECT kind FROM incidents")]


async def test_the_amount_is_registered_before_anybody_pays(
    acts: Acts, gateway: MemoryGateway
) -> None:
    payment = await acts.payment(await acts.trade())
    assert gateway.registered == {payment.id: Money(1000)}


async def test_beginning_again_finds_the_payment_that_was_begun(acts: Acts) -> None:
    trade = await acts.trade()
    first, second = await asyncio.gather(acts.payment(trade), acts.payment(trade))
    assert first.id == second.id == (await acts.payment(trade)).id


async def test_beginning_survives_a_gateway_that_was_away(
    acts: Acts, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.dead = True
    with pytest.raises(GatewayUnavailable):
        await acts.payment(trade)
    gateway.dead = False
    payment = await acts.payment(trade)
    assert list(gateway.registered) == [payment.id]


async def test_a_paid_payment_pays_its_trade_once_however_often_it_is_looked_at(
    acts: Acts, market: Market, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    await asyncio.gather(*(market.payments.synchronize(payment_id) for _ in range(10)))
    assert (await acts.now(trade)).status is Status.PAID
    assert await transfers(db, "CAPTURED") == 1


async def test_ten_looks_at_the_same_instant_record_one_capture(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 1000)
    gateway.before_answer = meeting(10)
    await asyncio.gather(*(market.payments.synchronize(payment.id) for _ in range(10)))
    assert await transfers(db, "CAPTURED") == 1


async def test_completion_webhook_and_sweep_at_one_instant_record_one_capture_100_times(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    seller = await acts.member()
    buyers = [await acts.member() for _ in range(100)]
    product = await acts.product(seller, quantity=100)
    for buyer in buyers:
        trade = await market.trades.buy(product.id, buyer)
        payment = await acts.payment(trade)
        gateway.pay(payment.id, 1000)
        await market.inbox.add("V1", payment.id, {"merchant_uid": payment.id})
        gateway.before_answer = meeting(3)
        await asyncio.gather(
            market.payments.complete(payment.id, buyer.id),
            market.sweep.hints(),
            market.payments.synchronize(payment.id),
        )
    assert await transfers(db, "CAPTURED") == 100


def meeting(count: int) -> Callable[[], Awaitable[None]]:
    """All have read the gateway's record before the first goes on."""
    barrier = asyncio.Barrier(count)

    async def meet() -> None:
        await barrier.wait()

    return meet


async def test_what_the_browser_says_is_not_believed(acts: Acts, market: Market) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    looked = await market.payments.complete(payment.id, trade.buyer.id)
    assert looked.status is Paid.READY
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT


async def test_after_a_declined_card_the_buyer_may_try_again_within_the_same_hold(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    first = await acts.payment(trade)
    gateway.fail(first.id)
    failed = await market.payments.complete(first.id, trade.buyer.id)
    assert (failed.status, failed.failure) == (Paid.FAILED, "declined")
    await acts.pay(trade)
    assert (await acts.now(trade)).status is Status.PAID
    assert (await acts.now(trade)).hold_expires_at == trade.hold_expires_at


@pytest.mark.parametrize(("amount", "currency"), [(999, "KRW"), (1001, "KRW"), (1000, "USD")])
async def test_wrong_money_is_never_accepted_and_goes_back_in_full(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database, amount: int, currency: str
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, amount, currency)
    await market.payments.complete(payment.id, trade.buyer.id)
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT
    assert len(await incidents(db)) == 1
    await market.sweep.everything()
    assert gateway.cancels == [(payment.id, amount)]
    assert (await market.payments.see(payment.id, trade.buyer.id)).status is Paid.CANCELLED
    assert await transfers(db, "RETURNED") == 1


async def test_two_payments_for_one_trade_leave_one(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    first = await acts.payment(trade)
    gateway.fail(first.id)
    await market.payments.complete(first.id, trade.buyer.id)
    second = await acts.pay(trade)
    gateway.pay(first.id, 1000)  # the declined one went through after all
    await market.payments.synchronize(first.id)
    await market.sweep.everything()
    assert gateway.cancels == [(first.id, 1000)]
    assert (await acts.now(trade)).payment_id == second


async def test_a_hold_that_runs_out_gives_its_unit_back(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    clock.move(minutes=9, seconds=59)
    await market.sweep.everything()
    assert await acts.remaining(trade) == 0
    clock.move(seconds=1)
    await market.sweep.everything()
    assert await acts.remaining(trade) == 1
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert (await market.payments.see(payment.id, trade.buyer.id)).status is Paid.EXPIRED


async def test_a_hold_whose_payment_came_unnoticed_does_not_expire(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 1000)
    clock.move(hours=1)
    await market.sweep.holds()
    assert (await acts.now(trade)).status is Status.PAID


async def test_a_dead_gateway_does_not_keep_goods_off_the_market_and_late_money_goes_back(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 1000)
    gateway.dead = True
    clock.move(hours=1)
    await market.sweep.everything()
    assert await acts.remaining(trade) == 1
    gateway.dead = False
    clock.move(hours=1)
    await market.sweep.everything()  # looks again, and finds the money
    await market.sweep.everything()  # sends it back
    assert gateway.cancels == [(payment.id, 1000)]
    assert await acts.remaining(trade) == 1


async def test_a_lost_webhook_is_made_good_by_the_sweep(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 1000)
    await market.sweep.everything()
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT
    clock.move(minutes=1)
    await market.sweep.everything()
    assert (await acts.now(trade)).status is Status.PAID


async def test_a_webhook_is_only_a_hint_and_a_repeat_changes_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    hint = {"imp_uid": "imp_1", "merchant_uid": payment.id, "status": "paid"}
    await market.inbox.add("V1", payment.id, hint)
    await market.sweep.hints()
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT
    gateway.pay(payment.id, 1000)
    for _ in range(3):  # the forged one above must not have silenced the real one
        await market.inbox.add("V1", payment.id, hint)
        await market.inbox.add("V1", payment.id, hint)
        await market.sweep.hints()
    assert (await acts.now(trade)).status is Status.PAID
    assert await transfers(db, "CAPTURED") == 1
    assert await db.fetch_value("SELECT count(*) FROM webhooks WHERE handled_at IS NULL") == 0


async def test_a_webhook_waits_for_a_gateway_that_is_away(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 1000)
    await market.inbox.add("V1", payment.id, {"merchant_uid": payment.id})
    gateway.dead = True
    await market.sweep.hints()
    gateway.dead = False
    assert await market.sweep.hints() == 0  # not at once
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT
    clock.move(seconds=5)
    await market.sweep.hints()
    assert (await acts.now(trade)).status is Status.PAID


async def test_a_webhook_about_nothing_of_ours_is_laid_aside(acts: Acts, market: Market) -> None:
    await market.inbox.add("V1", None, {"imp_uid": "imp_1"})
    await market.inbox.add("V1", PaymentId("e" * 32), {"merchant_uid": "e" * 32})
    assert await market.sweep.hints() == 2
    assert await market.sweep.hints() == 0


async def test_only_the_buyer_of_a_live_unpaid_trade_can_pay(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade = await acts.trade()
    stranger = await acts.member()
    with pytest.raises(NotFound):
        await market.payments.start(trade.id, stranger.id, CARD)
    with pytest.raises(NotYourPart):
        await market.payments.start(trade.id, trade.seller.id, CARD)
    payment = await acts.payment(trade)
    for outsider in (trade.seller.id, stranger.id):
        with pytest.raises(NotFound):
            await market.payments.complete(payment.id, outsider)
    assert (await market.payments.see(payment.id, trade.seller.id)).id == payment.id
    with pytest.raises(NotFound):
        await market.payments.see(payment.id, stranger.id)
    clock.move(hours=1)
    with pytest.raises(HoldExpired):
        await acts.payment(trade)
    await market.sweep.everything()
    with pytest.raises(InvalidTransition):
        await acts.payment(trade)


async def test_a_gateway_that_hangs_does_not_keep_goods_off_the_market(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    await acts.payment(trade)

    async def hang() -> None:
        await asyncio.Event().wait()

    gateway.before_answer = hang
    clock.move(hours=1)
    await market.sweep.holds()
    assert await acts.remaining(trade) == 1


async def test_a_hint_that_comes_while_its_payment_is_being_looked_at_is_kept(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    await market.inbox.add("V1", payment.id, {"merchant_uid": payment.id})
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        asked.set()
        await answer.wait()

    gateway.before_answer = hang
    handling = asyncio.create_task(market.sweep.hints())
    await asked.wait()
    gateway.pay(payment.id, 1000)  # after the record was read
    await market.inbox.add("V1", payment.id, {"merchant_uid": payment.id})
    answer.set()
    await handling
    await market.sweep.hints()
    assert (await acts.now(trade)).status is Status.PAID


async def test_however_many_hints_come_one_per_payment_waits(
    acts: Acts, market: Market, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    for number in range(20):
        hint = {"merchant_uid": payment.id, "imp_uid": f"imp_{number}"}
        await market.inbox.add("V1", payment.id, hint)
    assert await db.fetch_value("SELECT count(*) FROM webhooks") == 1


async def test_no_payment_is_begun_for_a_trade_that_dies_meanwhile(
    acts: Acts, market: Market, dsn: str, db: Database
) -> None:
    trade = await acts.trade()
    both = [
        market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why"),
        market.payments.start(trade.id, trade.buyer.id, CARD),
    ]
    await at_once(dsn, "products", trade.product_id, *both, waiting=2)
    assert await db.fetch_value("SELECT count(*) FROM payments WHERE status = 'READY'") == 0


async def test_on_manual_approval_nothing_is_charged_before_the_hold_was_checked(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    clock.move(minutes=10)
    with pytest.raises(HoldExpired):
        await market.payments.complete(payment.id, trade.buyer.id, "token")
    assert gateway.records == {}


async def test_on_manual_approval_a_lost_answer_charges_once(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    with pytest.raises(GatewayRefused):
        await market.payments.complete(payment.id, trade.buyer.id, "another")
    gateway.lose_answer = True
    with pytest.raises(GatewayUnavailable):
        await market.payments.complete(payment.id, trade.buyer.id, "token")
    gateway.lose_answer = False
    again = await market.payments.complete(payment.id, trade.buyer.id, "token")
    assert again.status is Paid.PAID
    assert (await acts.now(trade)).status is Status.PAID
