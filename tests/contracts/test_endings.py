"""Refunds that end later than they are answered, and what a console does unseen, on the wire."""

import pytest

from market.shared.banking import Bank, RefundAccount
from market.trades.domain import Status as TradeStatus
from market.verify import broken
from tests.support.acts import ACCOUNT
from tests.support.clock import MovableClock

from .shops import Opened, Shop

VERSIONS = pytest.mark.parametrize("version", ["V1", "V2"])
MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")
CANCEL = {"method": "POST", "path": "/payments/*/cancel"}
CANCEL_V1 = {"method": "POST", "path": "/payments/cancel"}


def console_cancels(shop: Shop, payment_id: str, amount: int) -> None:
    shop.portone.control("POST", "cancel", {"payment_id": payment_id, "amount": amount})


def lose(shop: Shop, match: dict[str, str]) -> None:
    rule = {"fault": "timeout_before", "times": 1, "seconds": 0, "match": match}
    shop.portone.control("POST", "faults", rule, 201)


def refuse(shop: Shop, match: dict[str, str]) -> None:
    rule = {"fault": "refuse", "error_type": "PG_PROVIDER", "times": None, "match": match}
    shop.portone.control("POST", "faults", rule, 201)


async def later(shop: Shop, clock: MovableClock, **how: float) -> None:
    """Time goes by on both sides, and every job of the worker's runs."""
    clock.move(**how)
    hours = how.get("hours", 0) + 24 * how.get("days", 0) + how.get("minutes", 0) / 60
    shop.portone.advance(hours=hours)
    await shop.market.sweep.everything()


@VERSIONS
@pytest.mark.parametrize("amount", [3000, None])
async def test_a_refusal_after_a_lost_answer_ends_the_refund(
    opened: Opened, clock: MovableClock, version: str, amount: int | None
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    match = {"V1": CANCEL_V1, "V2": CANCEL}[version]
    lose(shop, match)
    await shop.market.refunds.cancel(payment.id, buyer.id, amount, "변심", None)
    refuse(shop, match)
    for _ in range(3):
        await later(shop, clock, minutes=6)
    assert not await shop.market.refunds.is_under_way(payment.id)
    await shop.market.trades.approve(trade.id, trade.seller.id)
    assert [one.kind async for one in shop.market.operators.incidents()] == ["refund_refused"]
    assert await broken(shop.market.db) == []


async def test_a_transfer_that_fails_has_the_buyer_asked_again(
    opened: Opened, clock: MovableClock
) -> None:
    shop = opened(PORTONE_VERSION="V2")
    buyer, trade = await shop.buy()
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    assert payment.account is not None
    body = {"account_number": payment.account.number, "amount": 9000}
    shop.portone.control("POST", "deposit", body)
    await shop.market.payments.complete(payment.id, buyer.id)
    shop.portone.set(account_refund_status="FAILED", account_refund_seconds=3600)
    await shop.market.refunds.cancel_purchase(trade.id, buyer.id, "변심", MINE)
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    kept = "SELECT count(refund_account) FROM cancellations"
    assert await shop.market.db.fetch_value(kept) == 1
    await later(shop, clock, hours=2)
    assert await shop.market.refunds.waiting_for_account(trade.id) == payment.id
    await shop.market.refunds.send_to(payment.id, buyer.id, MINE)
    shop.portone.control("POST", "refunds", {"payment_id": payment.id, "status": "COMPLETED"})
    await later(shop, clock, hours=2)
    assert await shop.market.db.fetch_value(kept) == 0
    assert [one async for one in shop.market.operators.incidents()] == []
    assert await broken(shop.market.db) == []


@VERSIONS
@pytest.mark.parametrize("days", [5, 200])
async def test_two_acts_of_the_console_are_found_within_a_day_without_a_webhook(
    opened: Opened, clock: MovableClock, version: str, days: int
) -> None:
    """V1 lists by when a payment began; a second part moves V2's time of change no more."""
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    await later(shop, clock, days=days)
    for part, back in ((2000, 2000), (3000, 5000)):
        console_cancels(shop, payment.id, part)
        await later(shop, clock, days=1)
        assert (await shop.market.trades.see(trade.id, buyer.id))[0].refunded == back
    assert await broken(shop.market.db) == []


@pytest.mark.parametrize("amount", [3000, None])
async def test_a_refund_that_fails_a_day_later_lets_the_trade_go_on(
    opened: Opened, clock: MovableClock, amount: int | None
) -> None:
    shop = opened(PORTONE_VERSION="V2")
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id)
    await shop.market.payments.complete(payment.id, buyer.id)
    shop.portone.set(v2_cancel_mode="async", v2_failed_cancel_webhook=False)
    await shop.market.refunds.cancel(payment.id, buyer.id, amount, "변심", None)
    await later(shop, clock, days=1)
    assert await shop.market.refunds.is_under_way(payment.id)
    end = {"payment_id": payment.id, "outcome": "failed"}
    shop.portone.control("POST", "cancellations", end)
    await later(shop, clock, hours=1)
    assert not await shop.market.refunds.is_under_way(payment.id)
    await shop.market.trades.approve(trade.id, trade.seller.id)
    assert await broken(shop.market.db) == []
