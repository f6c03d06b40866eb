"""Virtual accounts: issued, deposited, run out, deposited too late, refunded (P6)."""

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.kit.security.encryption import Encryptor
from market.payments.cancellation import RefundRefused
from market.payments.domain import BankNeeded, Means, Method, Payment, RefundAccountNeeded
from market.payments.domain import Status as Paid
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import GatewayUnavailable, InvalidTransition, NotFound
from market.trades.domain import Status, Trade
from tests.support.acts import CARD, Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

ACCOUNT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")


async def issued(acts: Acts, market: Market, trade: Trade) -> Payment:
    return await market.payments.start(trade.id, trade.buyer.id, ACCOUNT)


async def deposited(acts: Acts, market: Market, gateway: MemoryGateway, trade: Trade) -> Payment:
    payment = await issued(acts, market, trade)
    gateway.pay(payment.id, 1000)
    return await market.payments.synchronize(payment.id)


async def test_an_account_is_issued_for_the_amount_until_the_hold_ends(
    acts: Acts, market: Market
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    assert payment.status is Paid.VIRTUAL_ACCOUNT_ISSUED
    assert payment.account is not None
    held = await acts.now(trade)
    assert payment.account.due_at == held.hold_expires_at
    assert (held.hold_expires_at - trade.created_at).total_seconds() == 24 * 3600


async def test_asking_again_gives_the_same_account_and_no_more_time(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    trade = await acts.trade()
    first = await issued(acts, market, trade)
    clock.move(hours=23)
    second = await issued(acts, market, trade)
    assert (second.id, second.account) == (first.id, first.account)
    assert (await acts.now(trade)).hold_expires_at == first.account.due_at  # type: ignore[union-attr]


async def test_a_lost_answer_to_the_issue_is_found_out_and_no_second_account_opened(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    gateway.lose_answer = True
    with pytest.raises(GatewayUnavailable):
        await issued(acts, market, trade)
    gateway.lose_answer = False
    payment = await issued(acts, market, trade)
    assert payment.status is Paid.VIRTUAL_ACCOUNT_ISSUED
    assert len(gateway.records) == 1


async def test_a_deposit_pays_the_trade(acts: Acts, market: Market, gateway: MemoryGateway) -> None:
    trade = await acts.trade()
    payment = await deposited(acts, market, gateway, trade)
    assert payment.status is Paid.PAID
    assert (await acts.now(trade)).status is Status.PAID


async def test_past_due_the_account_closes_and_the_unit_goes_back_on_sale(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    clock.move(hours=23, minutes=59)
    await market.sweep.holds()
    assert await acts.remaining(trade) == 0
    clock.move(minutes=1)
    await market.sweep.holds()
    assert await acts.remaining(trade) == 1
    assert gateway.closed == [payment.id]
    assert (await market.payments.see(payment.id, trade.buyer.id)).status is Paid.EXPIRED


async def test_a_deposit_too_late_revives_the_trade_if_a_unit_is_left(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    clock.move(days=1)
    await market.sweep.holds()
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    alive = await acts.now(trade)
    assert (alive.status, alive.cancelling, alive.cancelled_at) == (Status.PAID, None, None)
    assert await acts.remaining(trade) == 0
    await market.trades.approve(trade.id, trade.seller.id)


async def test_a_deposit_too_late_is_refunded_if_none_is_left(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock, db: Database
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    clock.move(days=1)
    await market.sweep.holds()
    await market.trades.buy(trade.product_id, await acts.member())
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    assert (await acts.now(trade)).status is Status.CANCELLED
    # Nobody knows yet where the money is to go: it waits, and operators are told.
    await market.sweep.everything()
    assert gateway.cancels == []
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_account_needed"
    with pytest.raises(NotFound):
        await market.refunds.send_to(payment.id, trade.seller.id, MINE)
    back = await market.refunds.send_to(payment.id, trade.buyer.id, MINE)
    assert back.status is Paid.CANCELLED
    assert gateway.sent_to == [MINE]
    # What told of it ends by itself, and says how.
    (incident,) = [one async for one in market.operators.incidents(settled_too=True)]
    assert incident.settlement is not None
    assert (incident.settlement.by, incident.settlement.how) == ("the market", "refund_done")
    with pytest.raises(InvalidTransition):
        await market.refunds.send_to(payment.id, trade.buyer.id, MINE)


async def test_an_account_that_can_t_be_paid_into_is_named_again(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    gateway.pay(payment.id, 999)
    await market.payments.synchronize(payment.id)
    gateway.refuse = "no such account"
    mistyped = RefundAccount(Bank.SHINHAN, "110-123-456780", "김보라")
    with pytest.raises(RefundRefused, match="no such account"):
        await market.refunds.send_to(payment.id, trade.buyer.id, mistyped)
    assert await market.refunds.waiting_for_account(trade.id) == payment.id
    asked = "SELECT count(*) FROM notices WHERE kind = 'ACCOUNT_NEEDED'"
    assert await db.fetch_value(asked) == 2
    gateway.refuse = None
    await market.refunds.send_to(payment.id, trade.buyer.id, MINE)
    assert gateway.sent_to == [MINE]
    assert await market.refunds.waiting_for_account(trade.id) is None
    still = [one.kind async for one in market.operators.incidents()]
    assert still == ["wrong_amount"], "the refusal, and the wait for an account, have ended"


@pytest.mark.parametrize("amount", [None, 400])
async def test_a_deposit_that_its_seller_sends_back_waits_for_the_buyer_who_is_asked(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database, amount: int | None
) -> None:
    trade = await acts.trade()
    payment = await deposited(acts, market, gateway, trade)
    await market.refunds.cancel(payment.id, trade.seller.id, amount, "broken", None)
    assert await db.fetch_value("SELECT kind FROM incidents") == "refund_account_needed"
    told = "SELECT member_id FROM notices WHERE kind = 'ACCOUNT_NEEDED'"
    assert await db.fetch_value(told) == trade.buyer.id
    await market.refunds.send_to(payment.id, trade.buyer.id, MINE)
    assert gateway.cancels == [(payment.id, amount or 1000)]


async def test_a_buyer_who_has_bought_another_meanwhile_is_refunded(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade(quantity=3)
    payment = await issued(acts, market, trade)
    clock.move(days=1)
    await market.sweep.holds()
    await market.trades.buy(trade.product_id, trade.buyer)
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await acts.remaining(trade) == 2


async def test_what_its_buyer_called_off_no_deposit_revives(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert gateway.closed == [payment.id]
    gateway.pay(payment.id, 1000)
    await market.payments.synchronize(payment.id)
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await acts.remaining(trade) == 1


async def test_a_gateway_that_can_not_close_the_account_keeps_nothing_up(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade = await acts.trade()
    await issued(acts, market, trade)
    gateway.dead = True
    clock.move(days=1)
    await market.sweep.holds()
    assert await acts.remaining(trade) == 1


async def test_a_refund_of_a_deposit_needs_the_buyers_account(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade = await acts.trade()
    await deposited(acts, market, gateway, trade)
    with pytest.raises(RefundAccountNeeded):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert not (await acts.now(trade)).is_cancelling
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why", MINE)
    assert gateway.sent_to == [MINE]
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await db.fetch_value("SELECT refund_account FROM cancellations") is None


async def test_when_the_seller_cancels_the_money_waits_for_the_buyers_account(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    await deposited(acts, market, gateway, trade)
    theirs = RefundAccount(Bank.KAKAO, "000-000-000000", "not the buyer")
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "sold elsewhere", theirs)
    assert (await acts.now(trade)).is_cancelling
    assert gateway.sent_to == []
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "all right", MINE)
    assert gateway.sent_to == [MINE]
    assert (await acts.now(trade)).status is Status.CANCELLED


async def test_the_account_is_sealed_while_it_waits_and_the_key_can_be_changed(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade = await acts.trade()
    await deposited(acts, market, gateway, trade)
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why", MINE)
    sealed = await db.fetch_value("SELECT refund_account FROM cancellations")
    assert b"110-123" not in sealed
    encryptor = Encryptor(["new", "x" * 32])
    assert b"110-123-456789" in encryptor.decrypt(sealed)
    again = encryptor.encrypt(encryptor.decrypt(sealed))
    assert b"110-123-456789" in Encryptor(["new"]).decrypt(again)
    assert "110-123" not in repr(MINE)


async def test_a_buyer_may_change_their_mind_about_how_to_pay(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    card = await acts.payment(trade)
    account = await issued(acts, market, trade)
    again = await market.payments.start(trade.id, trade.buyer.id, CARD)
    assert len({card.id, account.id, again.id}) == 3
    assert gateway.closed == [account.id]
    gateway.pay(account.id, 1000)  # and deposits all the same: the trade takes it
    await market.payments.synchronize(account.id)
    assert (await acts.now(trade)).payment_id == account.id


@pytest.mark.parametrize("amount", [999, 1001])
async def test_a_deposit_of_another_amount_is_to_go_back(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database, amount: int
) -> None:
    trade = await acts.trade()
    payment = await issued(acts, market, trade)
    gateway.pay(payment.id, amount)
    await market.payments.synchronize(payment.id)
    assert (await acts.now(trade)).status is Status.AWAITING_PAYMENT
    kinds = {row["kind"] for row in await db.fetch("SELECT kind FROM incidents")}
    assert kinds == {"wrong_amount", "refund_account_needed"}
    await market.refunds.send_to(payment.id, trade.buyer.id, MINE)
    assert gateway.cancels == [(payment.id, amount)]


def test_an_account_needs_a_bank_and_a_card_has_none() -> None:
    with pytest.raises(BankNeeded):
        Means(Method.VIRTUAL_ACCOUNT)
    with pytest.raises(BankNeeded):
        Means(Method.CARD, Bank.KAKAO)


def test_banks_are_known_by_name_and_by_code() -> None:
    assert Bank.named("004") is Bank.named("kookmin") is Bank.KOOKMIN
    assert Bank.named("999") is None
    assert len({bank.code for bank in Bank}) == len(Bank)
