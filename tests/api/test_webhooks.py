"""The doors for the gateway's webhooks: who is let in, and what a dead gateway does to them."""

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from market import settings as settings_module
from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.http.client_ip import ClientIpResolver
from market.outside import webhook_sources
from market.payments.portone.signature import SourceAddresses
from market.payments.ports import Gateways
from market.settings import Settings, SettingsError
from market.shared.errors import Unauthenticated
from tests.support.acts import Acts
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process, problem

V1 = "/webhooks/portone/v1"


async def test_a_webhook_is_kept_and_answered_though_the_gateway_hangs(
    acts: Acts, market: Market, gateway: MemoryGateway, client: Client
) -> None:
    payment = await acts.payment(await acts.trade())
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        asked.set()
        await answer.wait()

    gateway.before_answer = hang
    hint = {"merchant_uid": payment.id, "imp_uid": "imp_1", "status": "paid"}
    await client.post(V1, hint)
    working = asyncio.create_task(market.sweep.hints())
    await asked.wait()  # a worker asks the gateway, which says nothing
    asked.clear()
    assert await client.post(V1, hint) == {"stored": True}
    assert not asked.is_set()  # the door itself asks nobody
    gateway.pay(payment.id, payment.amount.amount)
    answer.set()
    await working
    # What came in while the gateway was being asked is news, and looked at again.
    assert await market.sweep.hints() == 1


async def test_v1_webhooks_from_elsewhere_are_refused_where_sources_are_given(
    market: Market, db: Database
) -> None:
    # httpx speaks from 127.0.0.1.
    for networks, status in ((("52.78.100.19", "192.0.2.0/24"), 401), (("127.0.0.0/8",), 200)):
        choosy = replace(market, sources=SourceAddresses.of(*networks))
        async with in_process(choosy) as anybody:
            answer = await anybody.call("POST", V1, {"imp_uid": "imp_1"})
            assert answer.status_code == status
            if answer.is_error:
                assert problem(answer) == (401, "unauthenticated")
                assert await db.fetch_value("SELECT count(*) FROM webhooks") == 0


async def test_behind_a_proxy_it_counts_where_a_webhook_came_to_the_proxy_from(
    market: Market,
) -> None:
    """Of IPv6 the address itself, though whoever has it may have its whole network."""
    proxied = replace(
        market,
        client_ips=ClientIpResolver([ip_network("127.0.0.0/8")]),
        sources=SourceAddresses.of("52.78.100.19", "2001:db8::19"),
    )
    hint = {"imp_uid": "imp_1"}
    async with in_process(proxied) as door:
        for came_from, status in {
            "52.78.100.19": 200,
            "2001:db8::19": 200,
            "192.0.2.1, 2001:db8::19": 200,
            "52.78.100.18": 401,
            "2001:db8::18": 401,
            "52.78.100.19, 192.0.2.1": 401,  # the first of it is anybody's to write
            "": 401,
        }.items():
            answer = await door.call("POST", V1, hint, X_Forwarded_For=came_from)
            assert answer.status_code == status, came_from


@pytest.mark.parametrize("address", [None, "2001:db8::1", "192.0.3.1"])
def test_what_is_not_in_a_given_network_is_not_admitted(address: str | None) -> None:
    with pytest.raises(Unauthenticated):
        SourceAddresses.of("192.0.2.0/24").admit(address)
    SourceAddresses().admit(address)


def test_a_source_that_is_no_address_is_a_wrong_setting() -> None:
    env = {"MARKET_SECRET": "x" * 32, "PORTONE_V1_WEBHOOK_ADDRESSES": "52.78.100.19,portone"}
    with pytest.raises(SettingsError, match="PORTONE_V1_WEBHOOK_ADDRESSES"):
        webhook_sources(settings_module.from_environment(env))


async def traces(db: Database) -> int:
    """What webhooks leave: rows of their own, and of jobs."""
    tables = ("webhooks", "pgqueuer", "pgqueuer_log")
    return sum([await db.fetch_value(f"SELECT count(*) FROM {table}") for table in tables])  # noqa: S608


STRANGE = (
    {"imp_uid": "imp_1"},
    {"merchant_uid": "f" * 32},
    {"merchant_uid": "f" * 32, "imp_uid": "imp_1", "status": "paid"},
    {"merchant_uid": "../../v1/payments"},
)


async def test_what_is_said_of_orders_that_are_not_ours_leaves_nothing(
    acts: Acts, client: Client, db: Database
) -> None:
    await acts.payment(await acts.trade())
    for hint in STRANGE:
        assert await client.post(V1, hint) == {"stored": True}
    assert await traces(db) == 0


async def test_where_v1_is_not_in_use_there_is_no_door_for_its_webhooks(
    settings: Settings, db: Database, clock: MovableClock
) -> None:
    v1, v2 = MemoryGateway(), MemoryGateway(version="V2")
    before = assemble(settings, db, Gateways(v1), clock, TimeOrderedIds())
    paid_by_v1 = await Acts(before, v1).payment(await Acts(before, v1).trade())
    market = assemble(settings, db, Gateways(v2, v1), clock, TimeOrderedIds())
    async with in_process(market) as anybody:
        for hint in STRANGE:
            assert problem(await anybody.call("POST", V1, hint)) == (404, "not_found")
        assert await traces(db) == 0
        # One that began before goes on where it began.
        await anybody.post(V1, {"merchant_uid": paid_by_v1.id})
    assert await market.sweep.hints() == 1
