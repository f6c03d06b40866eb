"""Every attempt under an order counts: its money pays the trade, or goes back."""

from dataclasses import replace

import pytest

from market.app import Market
from market.payments.domain import Method, Payment, Status
from market.payments.record import Seen, Snapshot
from market.shared.banking import Bank, RefundAccount, VirtualAccount
from market.shared.ids import PaymentId
from market.shared.money import Money
from market.trades.domain import Status as TradeStatus
from market.trades.domain import Trade
from tests.support.acts import ACCOUNT, Acts
from tests.support.gateway import MemoryGateway

MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")


async def issued(market: Market, trade: Trade) -> Payment:
    return await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)


def beside(gateway: MemoryGateway, payment: Payment, reference: str) -> None:
    """Another account is open under the same order."""
    assert payment.account is not None
    account = VirtualAccount("HANA", f"{reference}-number", None, payment.account.due_at)
    shown = Snapshot(payment.id, reference, Seen.UNPAID, Money(0), 0, account=account)
    gateway.beside.setdefault(payment.id, []).append(shown)


async def payments_of(market: Market, trade: Trade) -> list[tuple[str, int, int]]:
    rows = await market.db.fetch(
        """
        SELECT status, coalesce(captured_amount, 0), cancelled_amount FROM payments
        WHERE trade_id = $1 ORDER BY order_id NULLS FIRST, id
        """,
        trade.id,
    )
    return [tuple(row) for row in rows]


async def kinds(market: Market) -> list[str]:
    return [incident.kind async for incident in market.operators.incidents()]


async def test_money_that_comes_twice_goes_back_once(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.pay_beside(payment_id, "again", 1000)
    await market.payments.synchronize(payment_id)
    await market.payments.synchronize(payment_id)
    await market.sweep.everything()
    assert await payments_of(market, trade) == [("PAID", 1000, 0), ("CANCELLED", 1000, 1000)]
    assert (await acts.now(trade)).status is TradeStatus.PAID
    assert gateway.cancels == [(gateway.cancels[0][0], 1000)]
    assert await kinds(market) == ["paid_twice"]


async def test_a_deposit_into_another_account_of_the_order_pays(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await issued(market, trade)
    beside(gateway, payment, "other")
    gateway.pay_beside(payment.id, "other", 1000)
    paid = await market.payments.complete(payment.id, trade.buyer.id)
    assert (paid.status, paid.reference) == (Status.PAID, "other")
    assert (await acts.now(trade)).status is TradeStatus.PAID
    # And the account that was shown is closed: nobody is to pay twice.
    assert gateway.closed == [f"ref{payment.id}"]


async def test_a_deposit_into_both_accounts_pays_once_and_goes_back_to_the_buyer(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await issued(market, trade)
    gateway.pay(payment.id, 1000)
    beside(gateway, payment, "other")
    gateway.pay_beside(payment.id, "other", 1000)
    gateway.beside[payment.id] = [
        replace(one, method=Method.VIRTUAL_ACCOUNT) for one in gateway.beside[payment.id]
    ]
    await market.payments.synchronize(payment.id)
    await market.sweep.everything()
    waiting = await market.refunds.waiting_for_account(trade.id)
    assert waiting not in {None, payment.id}
    assert await kinds(market) == ["paid_twice", "refund_account_needed"]
    await market.refunds.send_to(PaymentId(str(waiting)), trade.buyer.id, MINE)
    assert gateway.sent_to == [MINE]
    assert await payments_of(market, trade) == [("PAID", 1000, 0), ("CANCELLED", 1000, 1000)]


async def test_what_the_first_could_not_pay_the_second_does(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    """At the first window too little was paid, at the second all of it."""
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 999)
    await market.payments.synchronize(payment.id)
    gateway.pay_beside(payment.id, "again", 1000)
    await market.payments.synchronize(payment.id)
    await market.sweep.everything()
    assert (await acts.now(trade)).status is TradeStatus.PAID
    assert await payments_of(market, trade) == [("CANCELLED", 999, 999), ("PAID", 1000, 0)]


async def test_an_account_besides_is_closed_before_anybody_pays_into_it(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await issued(market, trade)
    beside(gateway, payment, "other")
    await market.payments.synchronize(payment.id)
    await market.payments.synchronize(payment.id)
    assert gateway.closed == ["other"]
    assert (await acts.now(trade)).status is TradeStatus.AWAITING_PAYMENT


async def test_an_account_that_could_not_be_closed_is_closed_at_the_next_look(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await issued(market, trade)
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.dead = False
    assert gateway.closed == []
    await market.payments.synchronize(payment.id)
    assert gateway.closed == [payment.id]


async def test_the_second_goes_back_in_the_console_and_is_seen(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.pay_beside(payment_id, "again", 1000)
    gateway.refuse = "only in the console"
    await market.payments.synchronize(payment_id)
    await market.sweep.everything()
    assert await payments_of(market, trade) == [("PAID", 1000, 0), ("PAID", 1000, 0)]
    gateway.beside[payment_id] = [replace(one, returned=1000) for one in gateway.beside[payment_id]]
    await market.payments.synchronize(payment_id)
    assert await payments_of(market, trade) == [("PAID", 1000, 0), ("CANCELLED", 1000, 1000)]
    assert (await acts.now(trade)).status is TradeStatus.PAID


# ── how it was paid is the record's to say (B3) ──


async def test_a_deposit_where_a_card_was_meant_goes_back_to_an_account(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    account = VirtualAccount("HANA", "110", None, trade.hold_expires_at)
    gateway.records[payment.id] = waiting = Snapshot(
        payment.id, "imp", Seen.UNPAID, Money(0), 0, account=account, method=Method.VIRTUAL_ACCOUNT
    )
    opened = await market.payments.complete(payment.id, trade.buyer.id)
    assert (opened.status, opened.deposit_account) == (Status.VIRTUAL_ACCOUNT_ISSUED, account)
    # The unit is held for a deposit from now on.
    assert (await acts.now(trade)).hold_expires_at > trade.hold_expires_at
    gateway.records[payment.id] = replace(waiting, state=Seen.PAID, captured=Money(1000))
    paid = await market.payments.complete(payment.id, trade.buyer.id)
    assert (paid.status, paid.paid_with, paid.deposit_account) == (
        Status.PAID,
        Method.VIRTUAL_ACCOUNT,
        None,
    )
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why", MINE)
    assert gateway.sent_to == [MINE]
    assert (await acts.now(trade)).status is TradeStatus.CANCELLED


@pytest.mark.parametrize(
    "method", [Method.CARD, Method.TRANSFER, Method.EASY_PAY, Method.MOBILE, Method.OTHER]
)
async def test_what_was_paid_by_another_way_waits_for_no_account(
    acts: Acts, market: Market, gateway: MemoryGateway, method: Method
) -> None:
    trade = await acts.trade()
    payment = await issued(market, trade)
    gateway.pay(payment.id, 1000)
    gateway.records[payment.id] = replace(gateway.records[payment.id], method=method)
    await market.payments.synchronize(payment.id)
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "why")
    assert gateway.sent_to == [None]
    assert (await acts.now(trade)).status is TradeStatus.CANCELLED


# ── a record that makes no sense (B22) ──


@pytest.mark.parametrize(
    ("bent", "kind"),
    [
        ({"captured": Money(0)}, "wrong_amount"),
        ({"captured": Money(-1000)}, "wrong_amount"),
        ({"returned": 1001}, "more_back_than_came"),
        ({"returned": -1}, "more_back_than_came"),
        ({"state": Seen.UNKNOWN, "failure": "DISPUTED"}, "unknown_status"),
        ({"trouble": "half a won"}, "unreadable_record"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
async def test_a_record_that_makes_no_sense_is_told_once_and_books_nothing(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    bent: dict[str, object],
    kind: str,
    known: bool,
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    gateway.pay(payment.id, 1000)
    if known:
        await market.payments.synchronize(payment.id)
    before = await market.db.fetch("SELECT * FROM transfers")
    good = gateway.records[payment.id]
    gateway.records[payment.id] = replace(good, **bent)  # type: ignore[arg-type]
    for _ in range(2):
        seen = await market.payments.complete(payment.id, trade.buyer.id)
        await market.sweep.reconcile()
        assert (await market.comparison.recent(0)).unanswered == 0
    assert await kinds(market) == [kind]
    assert await market.db.fetch("SELECT * FROM transfers") == before
    assert seen.status is (Status.PAID if known else Status.READY)
    # Once it makes sense, it counts.
    gateway.records[payment.id] = good
    await market.payments.synchronize(payment.id)
    assert (await acts.now(trade)).status is TradeStatus.PAID
