"""Our payments beside the gateway's list, both ways (P9, P10)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.comparison import difference
from market.payments.incident import (
    AMOUNTS_DIFFER,
    UNKNOWN_AT_GATEWAY,
    UNKNOWN_HERE,
    Incident,
)
from market.payments.record import Seen, Snapshot, Till
from market.shared.money import Money
from market.trades.domain import Status
from tests.domain.test_payment import payment, seen
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway

PAID = seen(Seen.PAID)
STRANGE = Snapshot("an order of nobody", "imp_9", Seen.PAID, Money(700), 0)


async def incidents(market: Market) -> Sequence[Incident]:
    return [incident async for incident in market.operators.incidents()]


# ── what counts as a difference ──


def test_money_alone_is_compared() -> None:
    ours = payment()
    unpaid = replace(PAID, state=Seen.UNPAID)
    assert difference(ours, None) is None
    assert difference(ours, unpaid) is None
    assert difference(ours, PAID) == AMOUNTS_DIFFER
    ours.apply(PAID, ours.created_at)
    assert difference(ours, PAID) is None
    assert difference(ours, None) == UNKNOWN_AT_GATEWAY
    assert difference(ours, unpaid) == UNKNOWN_AT_GATEWAY


@pytest.mark.parametrize(
    "other",
    [
        replace(PAID, captured=Money(99)),
        replace(PAID, captured=Money(100, "USD")),
        replace(PAID, returned=1),
        replace(PAID, captured=Money(101), returned=1),
    ],
)
def test_other_money_differs_though_as_much_be_left(other: Snapshot) -> None:
    ours = payment()
    ours.apply(PAID, ours.created_at)
    assert difference(ours, other) == AMOUNTS_DIFFER


# ── both ways ──


async def test_where_both_agree_nothing_is_asked_twice_or_reported(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    await acts.paid_trade()
    trade, _ = await acts.paid_trade()
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    await acts.payment(await acts.trade())
    looks = 0

    async def count() -> None:
        nonlocal looks
        looks += 1

    gateway.before_answer = count
    outcome = await market.comparison.recent(0)
    assert (outcome.records, outcome.payments, outcome.repaired, looks) == (2, 2, 0, 0)
    assert await incidents(market) == []


async def test_what_was_only_news_is_repaired(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    trade, payment_id = await acts.paid_trade()
    lost = await acts.payment(await acts.trade())
    gateway.give_back(payment_id, 1000)  # in the console, with its webhook lost
    gateway.pay(lost.id, 1000)
    outcome = await market.comparison.recent(0)
    assert (outcome.repaired, outcome.incidents) == (2, 0)
    assert (await acts.now(trade)).status is Status.CANCELLED
    assert await incidents(market) == []


async def test_money_nobody_here_knows_is_an_incident_once(
    market: Market, gateway: MemoryGateway
) -> None:
    gateway.extra = [STRANGE, replace(STRANGE, order_id="f" * 32, reference="imp_8")]
    assert (await market.comparison.recent()).incidents == 2
    assert (await market.comparison.recent()).incidents == 0
    found, other = await incidents(market)
    assert (found.kind, found.subject, found.payment_id) == (UNKNOWN_HERE, "V1:imp_9", None)
    assert found.seen["order"] == "an order of nobody"
    assert found.seen["captured"] == "700 KRW"
    assert other.subject == "V1:imp_8"


async def test_what_holds_no_money_is_nobodys_business(
    market: Market, gateway: MemoryGateway
) -> None:
    gateway.extra = [replace(STRANGE, state=state) for state in (Seen.UNPAID, Seen.FAILED)]
    assert (await market.comparison.recent()).incidents == 0


@pytest.mark.parametrize("test", [True, False])
async def test_another_environments_money_is_its_own_business(
    market: Market, gateway: MemoryGateway, test: bool
) -> None:
    gateway.till = Till(test=test)
    gateway.extra = [replace(STRANGE, test=not test)]
    assert (await market.comparison.recent()).incidents == 0
    gateway.extra = [replace(STRANGE, test=test)]
    assert (await market.comparison.recent()).incidents == 1


async def test_an_order_paid_twice_is_known_once(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    _, payment_id = await acts.paid_trade()
    gateway.extra = [replace(gateway.records[payment_id], reference="imp_again")]
    await market.comparison.recent()
    (found,) = await incidents(market)
    assert (found.kind, found.subject) == (UNKNOWN_HERE, "V1:imp_again")


async def test_what_a_list_leaves_out_is_looked_for_before_it_is_missed(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    _, hidden = await acts.paid_trade()
    _, gone = await acts.paid_trade()
    gateway.unlisted = {hidden, gone}
    del gateway.records[gone]
    outcome = await market.comparison.recent(0)
    assert (outcome.payments, outcome.incidents) == (2, 1)
    (found,) = await incidents(market)
    assert (found.kind, found.subject, found.payment_id) == (UNKNOWN_AT_GATEWAY, gone, gone)
    assert found.trade_id is not None


async def test_other_amounts_are_an_incident_for_each_that_is_seen(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    _, payment_id = await acts.paid_trade()
    gateway.records[payment_id] = replace(gateway.records[payment_id], captured=Money(900))
    await market.comparison.recent(0)
    (found,) = await incidents(market)
    assert found.kind == AMOUNTS_DIFFER
    assert (found.seen["here"]["captured"], found.seen["there"]["captured"]) == (
        "1000 KRW",
        "900 KRW",
    )
    await market.operators.settle(found.id, "bora", "the payment company has corrected it")
    gateway.pay(payment_id, 800)  # and then it changes once more
    await market.comparison.recent(0)
    (again,) = await incidents(market)
    assert again.seen["there"]["captured"] == "800 KRW"


async def test_a_record_our_own_rules_refuse_is_an_incident_and_changes_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database
) -> None:
    _, payment_id = await acts.paid_trade()
    await acts.paid_trade()
    gateway.give_back(payment_id, 1001)  # more than there ever was
    outcome = await market.comparison.recent(0)
    assert (outcome.incidents, outcome.unanswered) == (1, 0)
    assert (await incidents(market))[0].kind == "more_back_than_came"
    assert await db.fetch_value("SELECT sum(cancelled_amount) FROM payments") == 0


async def test_a_refund_of_long_ago_is_compared_on_the_day_it_was_made(
    acts: Acts, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    trade, payment_id = await acts.paid_trade()
    clock.move(days=30)
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    gateway.unlisted = {payment_id}
    assert (await market.comparison.recent(0)).payments == 1
    gateway.records[payment_id] = replace(gateway.records[payment_id], returned=0)
    await market.comparison.recent(0)
    assert [found.kind for found in await incidents(market)] == [AMOUNTS_DIFFER]


# ── when ──


async def test_each_payment_is_compared_on_the_two_days_after_it(
    acts: Acts, market: Market, clock: MovableClock
) -> None:
    await acts.paid_trade()
    compared = []
    for _ in range(4):
        compared.append((await market.comparison.daily()).payments)
        clock.move(days=1)
    assert compared == [0, 1, 1, 0]


async def test_a_dead_gateway_is_counted_and_reported_as_nothing(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> None:
    await acts.paid_trade()
    gateway.dead = True
    outcome = await market.comparison.recent(0)
    assert (outcome.payments, outcome.incidents, outcome.unanswered) == (1, 0, 2)
    assert await incidents(market) == []
    gateway.dead = False
    assert (await market.comparison.recent(0)).unanswered == 0
