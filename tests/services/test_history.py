"""A payment's history: one entry for each thing that was learned or done, and no other."""

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.cancellation import RefundRefused
from market.payments.domain import Means, Method
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import GatewayUnavailable
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

DEPOSIT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
THEIRS = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")
Told = tuple[str, str | None, str | None, str]


async def history(db: Database, payment_id: str) -> list[Told]:
    """What, by which door, and the status before and after."""
    rows = await db.fetch(
        """
        SELECT what, door, status_before, status_after FROM payment_events
        WHERE payment_id = $1 ORDER BY id
        """,
        payment_id,
    )
    return [tuple(row) for row in rows]


async def test_a_payment_and_its_refund_are_told_once_each(
    acts: Acts, market: Market, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    for _ in range(3):
        await market.payments.synchronize(payment_id)
    await market.refunds.cancel(payment_id, trade.buyer.id, 400, "a scratch", None)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    await market.payments.synchronize(payment_id)
    assert await history(db, payment_id) == [
        ("ASKED", None, None, "READY"),
        ("REGISTERED", None, "READY", "READY"),
        ("LOOKED", "BUYER", "READY", "PAID"),
        ("REFUND_TRIED", None, "PAID", "PAID"),
        ("LOOKED", "REFUND", "PAID", "PARTIALLY_CANCELLED"),
        ("REFUND_TRIED", None, "PARTIALLY_CANCELLED", "PARTIALLY_CANCELLED"),
        ("LOOKED", "REFUND", "PARTIALLY_CANCELLED", "CANCELLED"),
    ]
    record = await db.fetch_one(
        """
        SELECT state, captured, returned, currency, reference FROM payment_events
        WHERE what = 'LOOKED' ORDER BY id DESC LIMIT 1
        """
    )
    assert record is not None
    assert tuple(record) == ("PAID", 1000, 1000, "KRW", f"ref{payment_id}")


async def test_a_look_without_news_adds_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    payment = await acts.payment(await acts.trade())
    await acts.market.payments.start(payment.trade_id, payment.payer, Means(Method.CARD))
    before = await history(db, payment.id)
    await market.payments.synchronize(payment.id)
    gateway.dead = True
    with pytest.raises(GatewayUnavailable):
        await market.payments.synchronize(payment.id)
    assert (
        await history(db, payment.id)
        == before
        == [
            ("ASKED", None, None, "READY"),
            ("REGISTERED", None, "READY", "READY"),
        ]
    )


async def test_a_record_that_moves_nothing_is_news_all_the_same(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    _, payment_id = await acts.paid_trade()
    gateway.give_back(payment_id, 1001)  # more than ever came: not to be believed, but to be seen
    for _ in range(2):
        await market.payments.synchronize(payment_id)
    assert (await history(db, payment_id))[3:] == [("LOOKED", "SWEEP", "PAID", "PAID")]


async def test_each_door_is_told_by_its_name(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    payments = [await acts.payment(await acts.trade()) for _ in range(2)]
    for payment in payments:
        gateway.pay(payment.id, 1000)
    await market.inbox.add("V1", payments[0].id, {"merchant_uid": payments[0].id})
    await market.sweep.hints()
    await market.sweep.reconcile()
    doors = [(await history(db, payment.id))[-1][1] for payment in payments]
    assert doors == ["WEBHOOK", "SWEEP"]


async def test_an_attempt_that_is_given_up_is_told(
    acts: Acts, market: Market, db: Database
) -> None:
    trade = await acts.trade()
    first = await acts.payment(trade)
    await market.payments.start(trade.id, trade.buyer.id, DEPOSIT)
    assert (await history(db, first.id))[-1] == ("EXPIRED", None, "READY", "EXPIRED")
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert len(await history(db, first.id)) == 3


async def test_a_refusal_is_told_with_the_gateways_words(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade, payment_id = await acts.paid_trade()
    gateway.refuse = "closed for the night"
    with pytest.raises(RefundRefused):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    assert (await history(db, payment_id))[-1][0] == "REFUND_REFUSED"
    said = await db.fetch_value("SELECT note FROM payment_events ORDER BY id DESC LIMIT 1")
    assert said == "closed for the night"


async def test_no_account_number_is_ever_told(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, DEPOSIT)
    assert payment.account is not None
    gateway.pay(payment.id, 999)  # not what was asked for: it is to go back, to nobody knows where
    await market.payments.synchronize(payment.id)
    await market.refunds.send_to(payment.id, trade.buyer.id, THEIRS)
    assert [entry[0] for entry in await history(db, payment.id)] == [
        "ASKED",
        "LOOKED",
        "LOOKED",
        "ACCOUNT_NAMED",
        "REFUND_TRIED",
        "LOOKED",
    ]
    everything = await db.fetch_value("SELECT string_agg(e::text, ' ') FROM payment_events e")
    for number in (payment.account.number, THEIRS.number, THEIRS.holder):
        assert number not in everything


async def test_what_is_taken_back_was_never_told(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    """An entry stands in the transaction of what it tells of."""
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 1000)
    await db.execute("ALTER TABLE transfers ADD CONSTRAINT fails CHECK (amount > 1000) NOT VALID")
    with pytest.raises(Exception, match="fails"):
        await market.payments.synchronize(payment.id)
    assert len(await history(db, payment.id)) == 2
    await db.execute("ALTER TABLE transfers DROP CONSTRAINT fails")
