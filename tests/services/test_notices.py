"""What members are told, and that it is told once, with what it tells of."""

from datetime import UTC, datetime

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.cancellation import RefundRefused
from market.payments.domain import Means, Method
from market.shared.banking import Bank
from market.shared.notification import NotificationKind
from market.shared.pagination import PageRequest
from market.shared.principals import MemberSummary
from market.trades.domain import Trade
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway


async def told(market: Market, person: MemberSummary) -> list[NotificationKind]:
    """What somebody was told, the latest first."""
    page = await market.notifications.page(person.id, PageRequest(50))
    return [notice.kind for notice in page.items]


async def test_each_step_notifies_the_party_it_concerns(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    assert (
        await told(market, trade.buyer)
        == await told(market, trade.seller)
        == [NotificationKind.PAID]
    )
    await market.trades.approve(trade.id, trade.seller.id)
    assert await told(market, trade.buyer) == [NotificationKind.APPROVED, NotificationKind.PAID]
    await market.trades.confirm(trade.id, trade.buyer.id)
    assert await told(market, trade.seller) == [NotificationKind.CONFIRMED, NotificationKind.PAID]


async def test_a_repeated_sync_notifies_no_one_again(acts: Acts, market: Market) -> None:
    trade, payment_id = await acts.paid_trade()
    for _ in range(3):
        await market.payments.synchronize(payment_id)
    assert await told(market, trade.buyer) == [NotificationKind.PAID]


async def test_a_cancellation_notifies_its_party_of_the_refund_and_the_other_of_the_end(
    acts: Acts, market: Market
) -> None:
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert await told(market, trade.buyer) == [NotificationKind.REFUNDED, NotificationKind.PAID]
    assert await told(market, trade.seller) == [NotificationKind.CANCELLED, NotificationKind.PAID]


async def test_an_expired_hold_notifies_both_parties(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade = await acts.trade()
    clock.move(hours=1)
    await market.refunds.expire_hold(trade.id)
    assert (
        await told(market, trade.buyer)
        == await told(market, trade.seller)
        == [NotificationKind.CANCELLED]
    )


async def deposited(acts: Acts, market: Market, gateway: MemoryGateway) -> Trade:
    trade = await acts.trade()
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.SHINHAN)
    payment = await market.payments.start(trade.id, trade.buyer.id, means)
    gateway.pay(payment.id, payment.amount.amount)
    await market.payments.synchronize(payment.id)
    return await acts.now(trade)


async def test_a_buyer_is_asked_for_a_refund_account(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await deposited(acts, market, gateway)
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "broken")
    assert (await told(market, trade.buyer))[0] is NotificationKind.ACCOUNT_NEEDED
    assert NotificationKind.ACCOUNT_NEEDED not in await told(market, trade.seller)


async def test_a_rolled_back_step_notifies_no_one(acts: Acts, market: Market, db: Database) -> None:
    trade, _ = await acts.paid_trade()

    async def approve_and_fail() -> None:
        async with db.transaction():
            await market.trades.approve(trade.id, trade.seller.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await approve_and_fail()
    assert await told(market, trade.buyer) == [NotificationKind.PAID]


async def test_a_buyer_is_reminded_to_confirm_once(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade, _ = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    assert await market.notifications.send_reminders() == 0
    clock.move(days=4)
    assert [await market.notifications.send_reminders() for _ in range(2)] == [1, 0]
    assert (await told(market, trade.buyer))[0] is NotificationKind.CONFIRMATION_REMINDER


async def test_notifications_that_arrive_meanwhile_stay_unread(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    buyer = trade.buyer
    seen = (await market.notifications.page(buyer.id, PageRequest(1))).items[0]
    await market.trades.approve(trade.id, trade.seller.id)
    await market.notifications.mark_read(buyer.id, seen.id)
    page = await market.notifications.page(buyer.id, PageRequest(5))
    assert [notice.read_at is None for notice in page.items] == [True, False]
    assert await market.notifications.unread(buyer.id) == 1
    assert await market.notifications.unread(trade.seller.id) == 1
    assert seen.created_at <= datetime.now(UTC)


async def words(
    market: Market, person: MemberSummary
) -> list[tuple[NotificationKind, int | None, str | None]]:
    """The same, with how much it is about and why."""
    page = await market.notifications.page(person.id, PageRequest(50))
    return [(notice.kind, notice.amount, notice.reason) for notice in page.items]


async def test_a_partial_refund_notifies_both_parties_of_amount_and_reason(
    acts: Acts, market: Market
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.refunds.cancel(payment_id, trade.seller.id, 300, "a scratch", None)
    for person in (trade.buyer, trade.seller):
        assert (await words(market, person))[0] == (NotificationKind.REFUNDED, 300, "a scratch")
    await market.refunds.cancel(payment_id, trade.buyer.id, None, "no, thanks", None)
    assert (await words(market, trade.buyer))[0] == (NotificationKind.REFUNDED, 700, "no, thanks")
    assert (await words(market, trade.seller))[0] == (
        NotificationKind.CANCELLED,
        None,
        "no, thanks",
    )


async def test_a_refund_in_the_gateways_console_is_notified_as_such(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    for amount in (300, 700):
        gateway.give_back(payment_id, amount)
        await market.payments.synchronize(payment_id)
        told = [
            one for one in await words(market, trade.buyer) if one[0] is NotificationKind.REFUNDED
        ]
        assert told[0] == (NotificationKind.REFUNDED, amount, "cancelled_at_gateway")
    assert (NotificationKind.CANCELLED, None, "cancelled_at_gateway") in await words(
        market, trade.seller
    )


async def test_a_refund_after_the_sale_notifies_the_buyer_alone(acts: Acts, market: Market) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    operator = (await acts.member()).id
    await market.refunds.cancel(payment_id, operator, 300, "it broke", None, operator=True)
    assert (await words(market, trade.buyer))[0] == (NotificationKind.REFUNDED, 300, "it broke")
    assert NotificationKind.REFUNDED not in await told(market, trade.seller)


async def test_a_refund_of_other_money_does_not_notify_the_seller(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 999)
    gateway.give_back(payment.id, 99)  # and the rest is to follow
    await market.payments.synchronize(payment.id)
    await market.sweep.cancellations()
    reasons = [
        one for one in await words(market, trade.buyer) if one[0] is NotificationKind.REFUNDED
    ]
    assert (NotificationKind.REFUNDED, 900, "wrong_amount") in reasons
    assert await told(market, trade.seller) == []


async def test_a_refused_refund_notifies_the_party_who_requested_it(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.refuse = "not this month"
    refused = (NotificationKind.REFUND_REFUSED, 300, "not this month")
    for asker, other in ((trade.buyer, trade.seller), (trade.seller, trade.buyer)):
        before = await words(market, other)
        with pytest.raises(RefundRefused):
            await market.refunds.cancel(payment_id, asker.id, 300, "a scratch", None)
        assert (await words(market, asker))[0] == refused
        assert await words(market, other) == before
    operator = (await acts.member()).id
    with pytest.raises(RefundRefused):
        await market.refunds.cancel(payment_id, operator, 300, "why", None, operator=True)
    for person in (trade.buyer, trade.seller):
        assert (await words(market, person)).count(refused) == 1
