"""The gateway's own list of a time: what the daily comparison reads, on both versions."""

from datetime import timedelta

import httpx
import pytest

from market.payments.portone.v1 import PortOneV1
from market.payments.portone.v2 import PortOneV2
from market.payments.record import Seen, Snapshot
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money
from tests.sandbox.client import Json

from .sides import Side, V1Side, V2Side

DAY = timedelta(days=1)


async def listed(side: Side, since: timedelta = DAY, until: timedelta = DAY) -> list[Snapshot]:
    now = side.clock.now()
    return [seen async for seen in side.gateway.listed(now - since, now + until)]


async def test_a_list_shows_what_a_look_shows(side: Side) -> None:
    whole, part = await side.paid(1234), await side.paid()
    await side.cancelled(part, 300)
    failed = await side.registered()
    side.portone.pay(failed.id, outcome="failed")
    seen = {record.order_id: record for record in await listed(side)}
    assert seen == {each.id: await side.seen(each) for each in (whole, part, failed)}
    assert (seen[part.id].captured, seen[part.id].returned) == (Money(1000), 300)
    assert seen[failed.id].state is Seen.FAILED


async def test_what_happened_at_another_time_is_left_out(side: Side) -> None:
    await side.paid()
    assert await listed(side, since=3 * DAY, until=-DAY) == []


async def test_an_empty_time_is_empty(side: Side) -> None:
    assert await listed(side) == []


async def test_the_other_versions_payments_are_not_ours_to_read(side: Side) -> None:
    other = {"V1": V2Side, "V2": V1Side}[side.version]
    await other(side.url, side.portone, side.clock, side.client, side.wire).paid(500)
    mine = await side.paid()
    assert [record.order_id for record in await listed(side)] == [mine.id]


async def test_every_page_is_read(side: Side) -> None:
    assert isinstance(side.gateway, PortOneV1 | PortOneV2)
    side.gateway.longest_page = 2
    paid = [(await side.paid()).id for _ in range(5)]
    side.wire.sent.clear()
    assert sorted(record.order_id for record in await listed(side)) == sorted(paid)
    assert len([path for path in side.wire.paths() if "/payments" in path]) == 3


async def test_a_record_that_makes_no_sense_is_told_and_hides_no_other(side: Side) -> None:
    bad, good = await side.paid(), await side.paid()

    def bend(body: Json) -> None:
        for shown in body.get("items") or (body.get("response") or {}).get("list", []):
            if bad.id in {shown.get("id"), shown.get("merchant_uid")}:
                shown["amount"] = None if "id" in shown else 0.5

    side.wire.bend = bend
    records = {record.order_id: record.nonsense for record in await listed(side)}
    assert records == {bad.id: "unreadable_record", good.id: None}


@pytest.mark.parametrize("shown", [{}, {"items": 1}, {"code": 0, "response": 7}, {"code": -1}])
async def test_a_list_in_no_known_form_is_trouble(side: Side, shown: Json) -> None:
    await side.gateway.look(side.payment())  # signed in, where that is needed

    def bend(body: Json) -> None:
        body.clear()
        body.update(shown)

    side.wire.bend = bend
    with pytest.raises(GatewayUnavailable):
        await listed(side)


async def test_a_gateway_that_is_not_there_is_trouble(side: Side) -> None:
    side.url = "http://127.0.0.1:9"
    side.gateway = side.made(timeout=httpx.Timeout(1.0))
    with pytest.raises(GatewayUnavailable):
        await listed(side)


async def test_more_than_one_list_may_hold_is_asked_for_in_parts(v2: V2Side) -> None:
    assert isinstance(v2.gateway, PortOneV2)
    v2.gateway.most_listed = 1
    paid = [(await v2.paid()).id]
    v2.portone.advance(hours=1)
    paid.append((await v2.paid()).id)
    records = await listed(v2)
    assert {record.order_id for record in records} == set(paid)
