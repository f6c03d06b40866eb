"""Pages that wait hear of their own trade, and hold up nobody."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from market.app import Market
from market.kit.concurrency.notifier import Notifier
from market.kit.db.database import Database
from market.web.trading import changes
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

PATIENCE_S = 30


@pytest.fixture
async def notifier(market: Market) -> AsyncIterator[Notifier]:
    yield market.notifier
    await market.notifier.close()


async def test_a_change_is_heard_by_those_who_wait_for_it_alone(
    acts: Acts, market: Market, notifier: Notifier
) -> None:
    (one, _), other = await acts.paid_trade(), await acts.trade()
    async with notifier.subscribe(one.id) as first, notifier.subscribe(other.id) as second:
        await first.wait(0.2)  # whatever was said of it before
        await second.wait(0.2)
        await market.trades.approve(one.id, one.seller.id)
        assert await first.wait(PATIENCE_S)
        assert not await second.wait(0)


async def test_a_payments_change_is_heard_by_those_who_wait_for_it_alone(
    acts: Acts, market: Market, notifier: Notifier, gateway: MemoryGateway
) -> None:
    one, other = await acts.trade(), await acts.trade()
    payment = await acts.payment(one)
    async with notifier.subscribe(one.id) as first, notifier.subscribe(other.id) as second:
        await first.wait(0.2)  # whatever was said of it before
        await second.wait(0.2)
        gateway.fail(payment.id)  # which leaves the trade as it is
        await market.payments.synchronize(payment.id)
        assert await first.wait(PATIENCE_S)
        assert not await second.wait(0)


async def test_what_was_said_while_the_line_was_cut_is_made_up_for(
    acts: Acts, market: Market, notifier: Notifier, db: Database, dsn: str
) -> None:
    trade, _ = await acts.paid_trade()
    async with notifier.subscribe(trade.id) as subscription:
        await subscription.wait(0.2)
        admin = await asyncpg.connect(dsn)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
        await admin.execute(cut, "test notifier")
        await admin.close()
        assert await subscription.wait(PATIENCE_S)


async def test_a_stream_ends_when_the_server_stops(acts: Acts, notifier: Notifier) -> None:
    trade = await acts.trade()
    events = [event.event async for event in changes(notifier, trade.id, lambda: True)]
    assert events == ["ready"]
