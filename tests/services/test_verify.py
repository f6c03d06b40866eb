"""`market verify` finds each kind of damage, and names that kind alone (P9, P10)."""

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.incident_book import SqlIncidents
from market.verify import INVARIANTS, broken
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

NOBODY = "0" * 32
# Each invariant, and rows broken by hand that it alone must find. {names} are ids of `busy`.
DAMAGE: dict[str, list[str]] = {
    "a product's taken units are its live trades": [
        "UPDATE products SET taken = taken + 1 WHERE id = '{product}'",
        "UPDATE products SET taken = taken - 1 WHERE id = '{product}'",
    ],
    "a product's confirmed units are its confirmed trades": [
        "UPDATE products SET confirmed = 2 WHERE id = '{product}'",
        "UPDATE products SET confirmed = 0 WHERE id = '{product}'",
    ],
    "a running paid trade has its money at the gateway": [
        """
        WITH p AS (UPDATE payments SET amount = amount + 1 WHERE trade_id = '{approved}')
        UPDATE trades SET price = price + 1 WHERE id = '{approved}'
        """,
    ],
    "a trade that waits for money to go back has it on its way, and none that goes on": [
        """
        UPDATE trades SET cancel_by = NULL, cancel_reason = NULL, cancel_asked_at = NULL
        WHERE payment_id = '{dying_payment}'
        """,
        """
        UPDATE trades SET cancel_by = 'BUYER', cancel_reason = 'x', cancel_asked_at = now()
        WHERE id = '{paid}'
        """,
        "UPDATE trades SET refunding = true WHERE id = '{paid}'",
        """
        UPDATE cancellations SET payment_id = '{late_payment}'
        WHERE payment_id = '{dying_payment}'
        """,
    ],
    "a running trade knows how much of its money went back": [
        "UPDATE trades SET refunded = 1 WHERE id = '{paid}'",
        "UPDATE trades SET refunded = 0 WHERE id = '{partly}'",
    ],
    "a trade has the times of the steps it took, and of no other": [
        "UPDATE trades SET paid_at = NULL WHERE id = '{paid}'",
        "UPDATE trades SET approved_at = NULL WHERE id = '{approved}'",
        "UPDATE trades SET confirmed_at = NULL WHERE id = '{confirmed}'",
        "UPDATE trades SET confirmed_at = now() WHERE id = '{approved}'",
        "UPDATE trades SET paid_at = now() WHERE id = '{awaiting}'",
        """
        UPDATE trades SET cancel_by = NULL, cancel_reason = NULL, cancel_asked_at = NULL
        WHERE id = '{cancelled}'
        """,
    ],
    "members send few parts of a payment back, and leave the whole a way": [
        """
        INSERT INTO cancellations (id, payment_id, amount, balance, reason, asked_by, status,
                                   created_at, settled_at, asked_amount)
        SELECT gen_random_uuid(), payment_id, 1, 1000, 'x', 'BUYER', 'SUCCEEDED', now(), now(), 1
        FROM trades, generate_series(1, 4) WHERE id = '{partly}'
        """,
    ],
    "a trade is paid by a payment of its own": [
        "UPDATE trades SET payment_id = '{late_payment}' WHERE id = '{cancelled}'",
    ],
    "a trade is with its product's seller": [
        "UPDATE trades SET seller_id = '{stranger}' WHERE id = '{awaiting}'",
    ],
    "a payment asks its trade's buyer for its trade's price": [
        "UPDATE payments SET payer_id = '{stranger}' WHERE trade_id = '{awaiting}'",
        "UPDATE payments SET amount = 999 WHERE trade_id = '{paid}'",
        "UPDATE payments SET currency = 'USD' WHERE trade_id = '{paid}'",
    ],
    "a payment's status says what its amounts say": [
        "UPDATE payments SET status = 'PARTIALLY_CANCELLED' WHERE trade_id = '{cancelled}'",
        "UPDATE payments SET status = 'PAID' WHERE trade_id = '{cancelled}'",
        "UPDATE payments SET status = 'CANCELLED' WHERE trade_id = '{confirmed}'",
    ],
    "captured money has the gateway's name for it, its time and its currency": [
        "UPDATE payments SET reference = NULL WHERE trade_id = '{paid}'",
        "UPDATE payments SET paid_at = NULL WHERE trade_id = '{paid}'",
    ],
    "captured money has a live trade, or is on its way back, or is back": [
        "DELETE FROM cancellations WHERE payment_id = '{late_payment}'",
        "DELETE FROM cancellations WHERE payment_id = '{wrong_payment}'",
    ],
    "money that came under an order besides has a payment of its own, and is told of": [
        "DELETE FROM incidents WHERE kind = 'paid_twice'",
        "UPDATE payments SET order_id = '{late_payment}' WHERE order_id IS NOT NULL",
    ],
    "only a trade that awaits payment waits for one": [
        "UPDATE payments SET status = 'READY' WHERE id = '{expired_payment}'",
    ],
    "a cancellation that succeeded sent its money back": [
        """
        INSERT INTO cancellations (id, payment_id, amount, balance, reason, asked_by, status,
                                   created_at, settled_at)
        SELECT gen_random_uuid(), id, 1, 1000, 'x', 'BUYER', 'SUCCEEDED', now(), now()
        FROM payments WHERE trade_id = '{paid}'
        """,
    ],
    "a cancellation will be tried again, or waits for an account, or has ended": [
        "UPDATE cancellations SET try_at = NULL WHERE payment_id = '{late_payment}'",
        "UPDATE cancellations SET settled_at = NULL WHERE status = 'SUCCEEDED'",
        "UPDATE cancellations SET try_at = now() WHERE status = 'SUCCEEDED'",
    ],
    "a refund that was given up has a reason, and a line of its operator's": [
        "UPDATE cancellations SET given_up_by = '{stranger}' WHERE status = 'SUCCEEDED'",
    ],
    "a refund account is kept only until the money has reached it": [
        "UPDATE cancellations SET refund_account = 'sealed' WHERE status = 'SUCCEEDED'",
    ],
    "a transfer that failed is an incident, and one that waits is looked at again": [
        "UPDATE payments SET transfer = 'FAILED', look_at = now() WHERE trade_id = '{cancelled}'",
        "UPDATE payments SET transfer = 'PENDING' WHERE trade_id = '{cancelled}'",
    ],
    "a refund that is done leaves no incident open": [
        """
        INSERT INTO incidents (kind, subject, payment_id, trade_id, seen)
        SELECT 'refund_refused',
               replace(c.payment_id::text, '-', '') || ': ' || replace(c.id::text, '-', ''),
               p.id, p.trade_id, '{{}}'
        FROM cancellations c JOIN payments p ON p.id = c.payment_id WHERE c.status = 'SUCCEEDED'
        """,
    ],
    "a payment's capture is in the books": [
        "UPDATE transfers SET source = '{nobody}' WHERE source = '{late_payment}'",
        "UPDATE transfers SET source = 'no id at all' WHERE source = '{late_payment}'",
    ],
    "what went back of a payment is in the books": [
        "UPDATE transfers SET source = '{nobody}:1000' WHERE kind = 'RETURNED' AND amount = 1000",
        "UPDATE transfers SET source = 'no id' WHERE kind = 'RETURNED' AND debit = 'claims'",
    ],
    "a confirmed trade is settled once, in full": [
        "UPDATE transfers SET source = 'x' WHERE kind = 'SETTLED' AND source = '{confirmed}'",
        "UPDATE transfers SET source = 'no id' WHERE kind = 'FEE' AND source = '{confirmed}'",
        "UPDATE trades SET fee = fee - 1 WHERE id = '{confirmed}'",
    ],
    "a transfer moves between the accounts of its kind": [
        "UPDATE transfers SET credit = 'seller:{stranger}' WHERE kind = 'SETTLED'",
        "UPDATE transfers SET credit = 'seller:{stranger}' WHERE kind = 'FEE'",
        "UPDATE transfers SET debit = 'fees' WHERE kind = 'CAPTURED'",
        "UPDATE transfers SET credit = 'fees' WHERE kind = 'RETURNED'",
    ],
    "the balances of all accounts sum to nothing": [
        # Every transfer is in balance by its form; only who sums them up can leave some out.
        """
        CREATE OR REPLACE VIEW balances AS
        SELECT account, currency, sum(amount)::bigint AS balance
        FROM (SELECT credit AS account, currency, amount FROM transfers WHERE kind <> 'FEE'
              UNION ALL SELECT debit, currency, -amount FROM transfers) AS entries
        GROUP BY account, currency
        """,
    ],
    "escrow holds exactly what is captured and neither returned nor settled": [
        # Sent back in the gateway's console when the seller was already owed it.
        """
        WITH p AS (
            UPDATE payments SET cancelled_amount = 1000, status = 'CANCELLED'
            WHERE trade_id = '{confirmed}' RETURNING id
        )
        INSERT INTO transfers (kind, source, debit, credit, amount, currency, occurred_at)
        SELECT 'RETURNED', replace(id::text, '-', '') || ':1000', 'escrow', 'gateway', 1000, 'KRW',
               now() FROM p
        """,
    ],
    "the ledger can't be rewritten": [
        "ALTER TABLE transfers DISABLE TRIGGER transfers_stand",
        "DROP TRIGGER transfers_stay ON transfers",
    ],
    "an incident about a payment is about its trade": [
        "UPDATE incidents SET trade_id = '{paid}' WHERE kind = 'wrong_amount'",
    ],
    "no unpaid hold is older than its deadline and some grace": [
        """
        UPDATE trades SET hold_expires_at = now() - interval '11 minutes' WHERE id = '{awaiting}'
        """,
    ],
}
CASES = [(name, sql) for name, damages in DAMAGE.items() for sql in damages]


@pytest.fixture
async def busy(market: Market, gateway: MemoryGateway) -> dict[str, str]:
    """A healthy market in the midst of everything; the ids of its parts."""
    acts = Acts(market, gateway)
    confirmed, _ = await acts.paid_trade(quantity=3)
    await market.trades.approve(confirmed.id, confirmed.seller.id)
    await market.trades.confirm(confirmed.id, confirmed.buyer.id)
    paid = await market.trades.buy(confirmed.product_id, await acts.member())
    await acts.pay(paid)
    approved, _ = await acts.paid_trade()
    await market.trades.approve(approved.id, approved.seller.id)
    partly, partly_payment = await acts.paid_trade()
    gateway.give_back(partly_payment, 300)
    await market.payments.synchronize(partly_payment)
    claimed, claimed_payment = await acts.paid_trade()
    await market.trades.approve(claimed.id, claimed.seller.id)
    await market.trades.confirm(claimed.id, claimed.buyer.id)
    gateway.give_back(claimed_payment, 300)
    await market.payments.synchronize(claimed_payment)
    awaiting = await acts.trade()
    await acts.payment(awaiting)
    expired = await acts.trade()
    expired_payment = await acts.payment(expired)
    await market.refunds.cancel_purchase(expired.id, expired.buyer.id, "why")
    cancelled, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(cancelled.id, cancelled.buyer.id, "why")
    late = await acts.trade()
    late_payment = await acts.payment(late)
    await market.refunds.cancel_purchase(late.id, late.buyer.id, "why")
    gateway.pay(late_payment.id, 1000)
    await market.payments.complete(late_payment.id, late.buyer.id)
    wrong_payment = await acts.payment(await acts.trade())
    gateway.pay(wrong_payment.id, 999)
    await market.payments.synchronize(wrong_payment.id)
    _, twice_payment = await acts.paid_trade()
    gateway.pay_beside(twice_payment, "again", 1000)
    await market.payments.synchronize(twice_payment)
    dying, dying_payment = await acts.paid_trade()
    gateway.dead = True
    await market.refunds.cancel_purchase(dying.id, dying.buyer.id, "why")
    await SqlIncidents(market.db).report("unknown_here", None, {}, "V1:imp_1")
    stranger = await acts.member()
    return {
        "nobody": NOBODY,
        "partly": partly.id,
        "stranger": stranger.id,
        "product": confirmed.product_id,
        "confirmed": confirmed.id,
        "paid": paid.id,
        "approved": approved.id,
        "awaiting": awaiting.id,
        "cancelled": cancelled.id,
        "late_payment": late_payment.id,
        "expired_payment": expired_payment.id,
        "dying_payment": dying_payment,
        "wrong_payment": wrong_payment.id,
    }


def test_every_invariant_has_its_damage() -> None:
    assert set(DAMAGE) == set(INVARIANTS)


@pytest.mark.usefixtures("busy")
async def test_a_healthy_market_has_nothing_broken(db: Database) -> None:
    assert await broken(db) == []


@pytest.mark.parametrize(("name", "sql"), CASES, ids=[name for name, _ in CASES])
async def test_damage_is_found_and_called_by_its_name(
    db: Database, busy: dict[str, str], name: str, sql: str
) -> None:
    # The constraints that would keep it out are another test's; this one wants it in.
    await db.execute("DROP INDEX cancellations_one_open_per_payment")
    await db.execute("ALTER TABLE transfers DISABLE TRIGGER USER")
    on_guard = "ALTER TABLE transfers ENABLE TRIGGER USER"
    if "TRIGGER" in sql:
        await db.execute(on_guard)
        await db.execute(sql)
    else:
        assert await db.execute(sql.format(**busy)) or "VIEW" in sql, "nothing was broken"
        await db.execute(on_guard)
    assert {item.invariant for item in await broken(db)} == {name}
