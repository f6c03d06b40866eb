"""Incidents: reported once, listed in order, settled once."""

import asyncio

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.payments.incident import AlreadySettled, Incident
from market.payments.incident_book import SqlIncidents
from market.payments.operators import AT_ONCE
from market.shared.errors import NotFound


async def listed(market: Market, *, all: bool = False) -> list[Incident]:
    return [incident async for incident in market.operators.incidents(settled_too=all)]


async def test_the_same_twice_is_one(market: Market, db: Database) -> None:
    for amount in (1, 2):
        await SqlIncidents(db).report("unknown_here", None, {"amount": amount}, "V1:imp_1")
    (found,) = await listed(market)
    assert (found.subject, found.seen, found.payment_id) == ("V1:imp_1", {"amount": 1}, None)


async def test_an_incident_about_nothing_is_a_bug(db: Database) -> None:
    with pytest.raises(ValueError, match="about something"):
        await SqlIncidents(db).report("unknown_here", None, {})


async def test_what_is_settled_is_listed_no_more_unless_asked_for(
    market: Market, db: Database
) -> None:
    for number in range(3):
        await SqlIncidents(db).report("unknown_here", None, {}, f"V1:imp_{number}")
    first, second, third = await listed(market)
    settled = await market.operators.settle(second.id, "bora", "sent back in the console")
    assert await listed(market) == [first, third]
    assert await listed(market, all=True) == [first, settled, third]


async def test_a_long_list_is_whole_and_in_order(market: Market, db: Database) -> None:
    await db.execute(
        """
        INSERT INTO incidents (kind, subject, seen)
        SELECT 'x', n, '{}' FROM generate_series(1, $1) AS n
        """,
        2 * AT_ONCE,
    )
    ids = [found.id for found in await listed(market)]
    assert len(ids) == 2 * AT_ONCE
    assert ids == sorted(ids)


async def test_concurrent_resolutions_of_an_incident_succeed_once(
    market: Market, db: Database
) -> None:
    await SqlIncidents(db).report("unknown_here", None, {}, "V1:imp_1")
    (found,) = await listed(market)
    ends = await asyncio.gather(
        *(market.operators.settle(found.id, who, "why") for who in ("bora", "jun")),
        return_exceptions=True,
    )
    assert [type(end) for end in ends if isinstance(end, Exception)] == [AlreadySettled]


async def test_what_is_not_there_is_not_settled(market: Market) -> None:
    with pytest.raises(NotFound):
        await market.operators.settle(9, "bora", "why")
