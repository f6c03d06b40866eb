"""429 over HTTP: who is counted, and what a refusal spares and says."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from market.app import Market, assemble
from market.kit.audit import SqlAudit
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.http.client_ip import ClientIpResolver
from market.members.auth import throttling
from market.members.auth.tokens import JwtTokens
from market.members.service import Lifetimes, MemberService
from market.members.sql import SqlMembers, SqlSessions
from market.payments.limits import (
    BEGIN_BY_MEMBER,
    CANCEL_BY_MEMBER,
    COMPLETE_BY_MEMBER,
    UNKNOWN_FROM_ADDRESS,
    WEBHOOKS_OF_PAYMENT,
    PaymentLimits,
)
from market.payments.ports import Gateways
from market.settings import Settings
from market.shared.errors import RateLimited
from market.shared.ids import MemberId
from market.shared.rate_limit import RateLimit
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process, problem, serving

BORA = {"email": "bora@example.com", "password": "a password", "nickname": "보라"}
WRONG = {"email": "bora@example.com", "password": "wrong one"}
NOBODY = {"email": "nobody@example.com", "password": "wrong one"}


@pytest.fixture
def market(settings: Settings, db: Database, gateway: MemoryGateway, clock: MovableClock) -> Market:
    """A market that counts; proxies in 10.0.0.0/8 are its own."""
    counting = replace(
        settings, rate_limits=True, trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),)
    )
    return assemble(counting, db, Gateways(gateway), clock, TimeOrderedIds())


async def statuses(client: Client, body: Any, times: int) -> list[int]:
    answers = [await client.call("POST", "/api/auth/login", body) for _ in range(times)]
    return [answer.status_code for answer in answers]


async def test_guessing_ends_in_429_which_says_when_to_come_back(client: Client) -> None:
    await client.post("/api/auth/signup", BORA)
    assert await statuses(client, WRONG, 21) == [401] * 20 + [429]
    refused = await client.call("POST", "/api/auth/login", BORA)
    assert problem(refused) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "30"
    assert refused.json()["about"] == {"retry_after": 30}


async def test_a_member_who_waits_gets_in(client: Client, clock: MovableClock) -> None:
    await client.post("/api/auth/signup", BORA)
    await statuses(client, WRONG, 25)
    clock.move(seconds=30)
    assert await statuses(client, BORA, 2) == [200, 429]


async def test_an_account_nobody_has_is_counted_and_answered_the_same(client: Client) -> None:
    await client.post("/api/auth/signup", BORA)
    known = [await client.call("POST", "/api/auth/login", WRONG) for _ in range(22)]
    unknown = [await client.call("POST", "/api/auth/login", NOBODY) for _ in range(22)]
    assert [a.text for a in known] == [a.text for a in unknown]
    assert [a.status_code for a in known] == [401] * 20 + [429] * 2


class CountedPasswords:
    """Hashes nothing, and notes how often it was asked to."""

    def __init__(self) -> None:
        self.checked = 0

    async def hash(self, password: str) -> str:
        return password

    async def matches(self, password: str, hashed: str | None) -> bool:
        self.checked += 1
        return False


async def test_what_is_refused_costs_no_hash(
    market: Market, db: Database, clock: MovableClock
) -> None:
    passwords, sessions = CountedPasswords(), SqlSessions(db)
    members = MemberService(
        transactions=db,
        members=SqlMembers(db),
        sessions=sessions,
        passwords=passwords,
        tokens=JwtTokens("x" * 32),
        audit=SqlAudit(db),
        clock=clock,
        ids=TimeOrderedIds(),
        lifetimes=Lifetimes(),
    )
    async with in_process(replace(market, members=members)) as client:
        await statuses(client, WRONG, 40)
    assert passwords.checked == 20


async def test_sign_up_is_counted_by_account_and_by_address(client: Client) -> None:
    twice = [await client.call("POST", "/api/auth/signup", BORA) for _ in range(11)]
    assert [a.status_code for a in twice] == [201] + [409] * 9 + [429]


async def test_refreshing_is_counted_by_address(client: Client, market: Market) -> None:
    body = {"refresh_token": "no token"}
    assert problem(await client.call("POST", "/api/auth/refresh", body))[0] == 401
    for _ in range(throttling.REFRESH_FROM_ADDRESS.burst - 1):
        await market.auth_throttle.refresh("127.0.0.1")
    refused = await client.call("POST", "/api/auth/refresh", body)
    assert problem(refused) == (429, "rate_limited")


Knock = Callable[..., Awaitable[int]]


@pytest.fixture
def knock(market: Market) -> Iterator[Knock]:
    """One wrong sign-in from a peer; its status."""
    with serving(market) as app:

        async def knock(peer: str, forwarded: str) -> int:
            transport = httpx.ASGITransport(app, client=(peer, 1))  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                said = {"X-Forwarded-For": forwarded}
                return (await http.post("/api/auth/login", json=WRONG, headers=said)).status_code

        yield knock


async def test_a_stranger_s_own_word_about_where_they_are_counts_for_nothing(knock: Knock) -> None:
    said = [await knock("192.0.2.1", f"203.0.113.{n}") for n in range(21)]
    assert said == [401] * 20 + [429]


async def test_behind_our_proxy_each_client_is_counted_by_itself(knock: Knock) -> None:
    assert [await knock("10.0.0.1", f"203.0.113.{n}") for n in range(21)] == [401] * 21
    # What the client itself had written stands left of what the proxy added.
    faked = [await knock("10.0.0.1", f"203.0.113.{n}, 192.0.2.9") for n in range(21)]
    assert faked == [401] * 20 + [429]


class _Connection:
    """As much of a connection as its address takes."""

    def __init__(self, peer: str | None, forwarded: list[str]) -> None:
        self.scope = {"client": (peer, 1) if peer else None}
        self.headers = httpx.Headers([("x-forwarded-for", line) for line in forwarded])
        self.headers.getall = lambda *_: forwarded  # type: ignore[attr-defined] # Litestar's name


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", ["203.0.113.1, 10.9.9.9"], "203.0.113.1"),
        ("10.0.0.1", ["203.0.113.1", "198.51.100.2"], "198.51.100.2"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.1, nonsense, 10.9.9.9"], "10.9.9.9"),
        ("::ffff:10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        (None, ["203.0.113.1"], "unknown"),
    ],
)
def test_whose_address_it_is(peer: str | None, forwarded: list[str], client: str) -> None:
    client_ips = ClientIpResolver([ipaddress.ip_network("10.0.0.0/8")])
    assert client_ips.rate_limit_key(_Connection(peer, forwarded)) == client  # type: ignore[arg-type]


async def test_429_is_documented(market: Market) -> None:
    async with in_process(market) as client:
        paths = (await client.get("/openapi.json"))["paths"]
    for path in ("signup", "login", "refresh"):
        assert "429" in paths[f"/api/auth/{path}"]["post"]["responses"]


CANCEL: Mapping[str, Any] = {"reason": "변심"}
PAY: Mapping[str, Any] = {"method": "CARD"}


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/api/trades/{trade}/payment", PAY, BEGIN_BY_MEMBER),
        ("/api/payments/{payment}/complete", None, COMPLETE_BY_MEMBER),
        ("/api/payments/{payment}/cancel", CANCEL, CANCEL_BY_MEMBER),
        ("/api/trades/{trade}/cancel", CANCEL, CANCEL_BY_MEMBER),
    ],
)
async def test_requests_that_reach_the_gateway_are_limited_by_member(
    client: Client, market: Market, path: str, body: Any, limit: RateLimit
) -> None:
    """However many payments somebody has; and whoever uses up their own turns takes no other's."""
    counted = PaymentLimits(market.rate_limits)
    take = {BEGIN_BY_MEMBER: counted.begin, COMPLETE_BY_MEMBER: counted.complete}
    seller, buyer, other = [await client.member(name) for name in ("s", "b", "o")]
    product = (await seller.product(2))["id"]
    mine, theirs = await buyer.buy(product), await other.buy(product)
    ids = {}
    for trade in (mine, theirs):
        paying = buyer if trade is mine else other
        payment = await paying.post(f"/api/trades/{trade['id']}/payment", PAY)
        ids[trade["id"]] = path.format(trade=trade["id"], payment=payment["id"])
    me = MemberId((await buyer.get("/api/me"))["id"])
    with suppress(RateLimited):  # the one that was begun counts already
        for _ in range(limit.burst):
            await take.get(limit, counted.cancel)(me)
    refused = await buyer.call("POST", ids[mine["id"]], body)
    assert problem(refused) == (429, "rate_limited")
    assert (await other.call("POST", ids[theirs["id"]], body)).status_code in {200, 201}


@pytest.mark.parametrize(
    ("path", "body", "limit", "status"),
    [
        ("/api/trades/{trade}/payment", PAY, BEGIN_BY_MEMBER, 201),
        ("/api/payments/{payment}/complete", None, COMPLETE_BY_MEMBER, 200),
    ],
)
async def test_a_refusal_for_haste_is_not_kept_for_its_key(
    client: Client,
    market: Market,
    clock: MovableClock,
    path: str,
    body: Any,
    limit: RateLimit,
    status: int,
) -> None:
    counted = PaymentLimits(market.rate_limits)
    take = {BEGIN_BY_MEMBER: counted.begin, COMPLETE_BY_MEMBER: counted.complete}[limit]
    seller, buyer = await client.member("s"), await client.member("b")
    trade = (await buyer.buy((await seller.product())["id"]))["id"]
    payment = (await buyer.post(f"/api/trades/{trade}/payment", PAY))["id"]
    me = MemberId((await buyer.get("/api/me"))["id"])
    with suppress(RateLimited):  # the one that was begun counts already
        for _ in range(limit.burst):
            await take(me)
    path = path.format(trade=trade, payment=payment)
    refused = await buyer.call("POST", path, body, Idempotency_Key="k")
    assert refused.status_code == 429
    clock.move(seconds=float(refused.headers["retry-after"]))
    assert (await buyer.call("POST", path, body, Idempotency_Key="k")).status_code == status


V1 = "/webhooks/portone/v1"


async def test_unknown_orders_are_counted_by_address_and_payments_of_ours_are_not(
    client: Client,
) -> None:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", PAY)
    unknown = [
        (await client.call("POST", V1, {"merchant_uid": f"{n:032x}"})).status_code
        for n in range(UNKNOWN_FROM_ADDRESS.burst + 1)
    ]
    assert unknown == [200] * UNKNOWN_FROM_ADDRESS.burst + [429]
    assert (await client.call("POST", V1, {"merchant_uid": payment["id"]})).status_code == 200


async def test_a_flood_about_one_payment_makes_few_looks_and_silences_none(
    client: Client, market: Market, clock: MovableClock
) -> None:
    """Its buyer knows its id, and could have the gateway asked for ever."""
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    payment = await buyer.post(f"/api/trades/{trade['id']}/payment", PAY)
    for looks in [1] * WEBHOOKS_OF_PAYMENT.burst + [0] * 3:
        assert await client.post(V1, {"merchant_uid": payment["id"]}) == {"stored": True}
        assert await market.sweep.hints() == looks
    clock.move(seconds=WEBHOOKS_OF_PAYMENT.emission_interval.total_seconds() + 1)
    assert await market.sweep.hints() == 1
