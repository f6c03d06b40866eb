"""Social sign-in over HTTP (R14), with the sandbox's stand-ins of Kakao and Naver behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.payments.ports import Gateways
from market.settings import Settings
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.providers import StandIns
from tests.support.web import Client, in_process, problem

PROVIDERS = ["kakao", "naver"]
PATH = "/api/auth/social"
EMAIL = "haneul@example.com"  # 하늘's, verified


@pytest.fixture
async def stand_ins(clock: MovableClock) -> AsyncIterator[StandIns]:
    async with StandIns.open(clock) as stand_ins:
        yield stand_ins


@pytest.fixture
def market(
    settings: Settings,
    db: Database,
    gateway: MemoryGateway,
    clock: MovableClock,
    stand_ins: StandIns,
) -> Market:
    providers = stand_ins.providers
    return assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds(), providers)


@asynccontextmanager
async def another_browser(market: Market) -> AsyncIterator[Client]:
    async with in_process(market) as client:
        yield client


async def begin(client: Client, provider: str, next: str | None = None) -> str:
    """Where the browser is sent."""
    query = "" if next is None else f"?next={next}"
    went = await client.call("GET", f"{PATH}/{provider}{query}")
    assert went.status_code == 302, went.text
    return str(went.headers["location"])


async def come_back(client: Client, provider: str, brought: dict[str, str]) -> httpx.Response:
    query = str(httpx.QueryParams(brought))
    return await client.call("GET", f"{PATH}/{provider}/callback?{query}")


async def sign_in(client: Client, stand_ins: StandIns, provider: str, **person: str) -> Any:
    """The whole way; the tokens at its end."""
    brought = await stand_ins.answer(await begin(client, provider), **person)
    back = await come_back(client, provider, brought)
    assert back.status_code == 302, back.text
    return await client.get(back.headers["location"])


async def me(client: Client, tokens: Any) -> Any:
    return await Client(client.http, tokens["access_token"]).get("/api/me")


async def members(db: Database) -> int:
    return int(await db.fetch_value("SELECT count(*) FROM members"))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_social_account_creates_one_member_and_keeps_it(
    client: Client, stand_ins: StandIns, db: Database, provider: str
) -> None:
    first = await sign_in(client, stand_ins, provider)
    assert first.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    shown = await me(client, first)
    assert shown["nickname"] == "하늘"
    again = await sign_in(client, stand_ins, provider)
    assert (await me(client, again))["id"] == shown["id"]
    other = await sign_in(client, stand_ins, provider, person="바다")
    assert (await me(client, other))["id"] != shown["id"]
    assert await members(db) == 2


async def test_tokens_of_a_social_sign_in_refresh_and_end_like_any(
    client: Client, stand_ins: StandIns
) -> None:
    tokens = await sign_in(client, stand_ins, "kakao")
    spent = {"refresh_token": tokens["refresh_token"]}
    fresh = await client.post("/api/auth/refresh", spent)
    await client.post("/api/auth/logout", {"refresh_token": fresh["refresh_token"]})
    stale = Client(client.http, fresh["access_token"])
    assert problem(await stale.call("GET", "/api/me")) == (401, "token_invalid")


async def test_only_a_verified_address_is_stored(client: Client, stand_ins: StandIns) -> None:
    for provider, person, email in (
        ("kakao", "하늘", EMAIL),
        ("kakao", "미확인", None),
        ("kakao", "비공개", None),
        ("naver", "하늘", None),
    ):
        tokens = await sign_in(client, stand_ins, provider, person=person)
        assert (await me(client, tokens))["email"] == email


SIGNUP = {"email": EMAIL, "password": "a password", "nickname": "먼저"}


async def test_a_proven_address_leads_to_the_member_who_has_it(
    client: Client, stand_ins: StandIns, db: Database
) -> None:
    signed = await client.post("/api/auth/signup", SIGNUP)
    tokens = await sign_in(client, stand_ins, "kakao")
    assert (await me(client, tokens))["id"] == signed["member"]["id"]
    assert await members(db) == 1


async def test_a_squatter_of_an_address_loses_password_and_sessions(
    client: Client, stand_ins: StandIns
) -> None:
    squatter = await client.post("/api/auth/signup", SIGNUP)
    await sign_in(client, stand_ins, "kakao")
    wrong = await client.call("POST", "/api/auth/login", SIGNUP)
    assert problem(wrong) == (401, "wrong_credentials")
    stale = Client(client.http, squatter["access_token"])
    assert problem(await stale.call("GET", "/api/me")) == (401, "token_invalid")
    spent = {"refresh_token": squatter["refresh_token"]}
    assert problem(await client.call("POST", "/api/auth/refresh", spent))[0] == 401


async def test_an_unverified_address_takes_over_no_account(
    client: Client, stand_ins: StandIns
) -> None:
    signed = await client.post("/api/auth/signup", SIGNUP)
    for provider, person in (("naver", "하늘"), ("kakao", "impostor"), ("naver", "impostor")):
        described = {"person": person, "email": EMAIL, "verified": "false"}
        tokens = await sign_in(client, stand_ins, provider, **described)
        assert (await me(client, tokens))["id"] != signed["member"]["id"]
    assert (await client.call("POST", "/api/auth/login", SIGNUP)).status_code == 200


async def test_an_address_reassigned_at_the_provider_takes_over_no_account(
    client: Client, stand_ins: StandIns, db: Database
) -> None:
    await sign_in(client, stand_ins, "kakao")
    brought = await stand_ins.answer(await begin(client, "kakao"), person="new", email=EMAIL)
    assert problem(await come_back(client, "kakao", brought)) == (409, "social_account_conflict")
    assert await members(db) == 1


async def test_a_member_from_a_provider_has_no_password(
    client: Client, stand_ins: StandIns
) -> None:
    await sign_in(client, stand_ins, "kakao")
    for password in ("", "a password", "None"):
        guess = {"email": EMAIL, "password": password}
        refused = await client.call("POST", "/api/auth/login", guess)
        assert problem(refused) == (401, "wrong_credentials")
    taken = await client.call("POST", "/api/auth/signup", SIGNUP)
    assert problem(taken) == (409, "email_taken")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_declined_sign_in_is_reported_as_declined(
    client: Client, stand_ins: StandIns, db: Database, provider: str
) -> None:
    brought = await stand_ins.answer(await begin(client, provider), decision="decline")
    assert problem(await come_back(client, provider, brought)) == (403, "social_declined")
    brought = await stand_ins.answer(
        await begin(client, provider, next="/hello"), decision="decline"
    )
    back = await come_back(client, provider, brought)
    assert back.headers["location"] == "/hello?error=social_declined"
    assert await members(db) == 0


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_callback_works_once(client: Client, stand_ins: StandIns, provider: str) -> None:
    brought = await stand_ins.answer(await begin(client, provider))
    assert (await come_back(client, provider, brought)).status_code == 302
    replayed = await come_back(client, provider, brought)
    assert problem(replayed) == (400, "social_state_invalid")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_of_two_concurrent_callbacks_one_works(
    client: Client, stand_ins: StandIns, provider: str
) -> None:
    brought = await stand_ins.answer(await begin(client, provider))
    both = [come_back(client, provider, brought) for _ in range(2)]
    assert sorted([a.status_code for a in await asyncio.gather(*both)]) == [302, 400]


async def test_another_browser_cannot_finish_a_sign_in(
    client: Client, stand_ins: StandIns, market: Market, db: Database
) -> None:
    brought = await stand_ins.answer(await begin(client, "kakao"))
    async with another_browser(market) as victim:
        bare = await come_back(victim, "kakao", brought)
        assert problem(bare) == (400, "social_state_invalid")
        await begin(victim, "kakao")
        assert problem(await come_back(victim, "kakao", brought)) == (400, "social_state_invalid")
        # And it was not spoilt for the browser whose it is.
        back = await come_back(client, "kakao", brought)
        assert back.status_code == 302
        stolen = await victim.call("GET", back.headers["location"])
        assert problem(stolen) == (400, "social_code_invalid")
    await client.get(back.headers["location"])
    assert await members(db) == 1


async def test_two_tabs_do_not_disturb_each_other(client: Client, stand_ins: StandIns) -> None:
    one, two = await begin(client, "kakao"), await begin(client, "naver")
    for provider, place in (("naver", two), ("kakao", one)):
        back = await come_back(client, provider, await stand_ins.answer(place))
        assert back.status_code == 302


async def test_one_provider_cannot_respond_for_another(client: Client, stand_ins: StandIns) -> None:
    brought = await stand_ins.answer(await begin(client, "naver"))
    assert problem(await come_back(client, "kakao", brought)) == (400, "social_state_invalid")


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def browse(client: Client, place: str) -> httpx.Response:
    """As a browser that follows redirects within the site."""
    answer = await client.http.get(place, headers=BROWSER)
    while answer.status_code in {302, 303} and answer.headers["location"].startswith("/"):
        answer = await client.http.get(answer.headers["location"], headers=BROWSER)
    return answer


async def refused_in_a_browser(client: Client, brought: dict[str, str], code: str) -> None:
    query = str(httpx.QueryParams(brought))
    answer = await client.http.get(f"{PATH}/kakao/callback?{query}", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/signin?refused={code}")
    page = await browse(client, answer.headers["location"])
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "다시 시도해 주세요" in page.text or "취소됐어요" in page.text


async def test_a_browser_that_comes_back_wrongly_lands_on_the_sign_in_page(
    client: Client, stand_ins: StandIns, market: Market, clock: MovableClock
) -> None:
    brought = await stand_ins.answer(await begin(client, "kakao"))
    async with another_browser(market) as other:
        await refused_in_a_browser(other, brought, "social_state_invalid")
    assert (await come_back(client, "kakao", brought)).status_code == 302
    await refused_in_a_browser(client, brought, "social_state_invalid")
    late = await stand_ins.answer(await begin(client, "kakao"))
    clock.move(minutes=10)
    await refused_in_a_browser(client, late, "social_state_invalid")
    declined = await stand_ins.answer(await begin(client, "kakao"), decision="decline")
    await refused_in_a_browser(client, declined, "social_declined")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_plain_link_signs_a_browser_in_to_the_shop(
    client: Client, stand_ins: StandIns, provider: str
) -> None:
    went = await client.http.get(f"{PATH}/{provider}", headers=BROWSER)
    brought = await stand_ins.answer(went.headers["location"])
    query = str(httpx.QueryParams(brought))
    page = await browse(client, f"{PATH}/{provider}/callback?{query}")
    assert page.status_code == 200
    assert "하늘" in page.text
    assert "access_token" not in page.text


async def test_a_callback_without_a_flow_is_refused(client: Client) -> None:
    await begin(client, "kakao")
    for brought in ({}, {"state": ""}, {"state": "x", "code": "y"}, {"state": "\0", "code": "y"}):
        refused = await come_back(client, "kakao", brought)
        assert problem(refused) == (400, "social_state_invalid")


async def test_a_refusal_of_the_provider_begins_no_session(
    client: Client, stand_ins: StandIns, db: Database
) -> None:
    for brought in ({}, {"code": ""}, {"error": "server_error"}, {"code": "no"}):
        state = (await stand_ins.answer(await begin(client, "naver")))["state"]
        refused = await come_back(client, "naver", {"state": state, **brought})
        assert problem(refused) == (400, "social_refused")
    assert await members(db) == 0


async def test_a_flow_expires(client: Client, stand_ins: StandIns, clock: MovableClock) -> None:
    brought = await stand_ins.answer(await begin(client, "kakao"))
    clock.move(minutes=10)
    assert problem(await come_back(client, "kakao", brought)) == (400, "social_state_invalid")


async def test_a_code_of_ours_is_good_once_and_for_a_minute(
    client: Client, stand_ins: StandIns, clock: MovableClock
) -> None:
    async def code() -> str:
        brought = await stand_ins.answer(await begin(client, "kakao", next="/in?x=1"))
        place = (await come_back(client, "kakao", brought)).headers["location"]
        assert place.startswith("/in?x=1&code=")
        return parse_qs(urlsplit(place).query)["code"][0]

    first = {"code": await code()}
    tokens = await client.post(f"{PATH}/exchange", first)
    assert (await me(client, tokens))["nickname"] == "하늘"
    used = await client.call("POST", f"{PATH}/exchange", first)
    assert problem(used) == (400, "social_code_invalid")
    late = {"code": await code()}
    clock.move(minutes=1)
    refused = await client.call("POST", f"{PATH}/exchange", late)
    assert problem(refused) == (400, "social_code_invalid")


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/%5Cevil.example",
    "/%09/evil.example",
    "%20//evil.example",
    "/%0d%0aSet-Cookie:x",
    "evil.example",
    "javascript:alert(1)",
    "/" + "x" * 500,
    "",
]


async def test_next_is_a_place_of_this_site(client: Client, db: Database) -> None:
    for next in ELSEWHERE:
        refused = await client.call("GET", f"{PATH}/kakao?next={next}")
        assert problem(refused) == (400, "invalid_request"), next
    assert await db.fetch_value("SELECT count(*) FROM one_time_codes") == 0


async def test_unknown_providers_are_not_found(client: Client) -> None:
    await begin(client, "kakao")
    for path in ("google", "google/callback?code=x&state=y", "kakao%00"):
        assert problem(await client.call("GET", f"{PATH}/{path}")) == (404, "not_found")


async def test_a_provider_that_is_not_configured_is_not_there(
    settings: Settings, db: Database, gateway: MemoryGateway, clock: MovableClock
) -> None:
    bare = assemble(settings, db, Gateways(gateway), clock, TimeOrderedIds())
    async with in_process(bare) as client:
        assert problem(await client.call("GET", f"{PATH}/kakao")) == (404, "not_found")


async def test_stored_flows_are_encrypted(
    client: Client, stand_ins: StandIns, db: Database
) -> None:
    place = await begin(client, "kakao")
    query = parse_qs(urlsplit(place).query)
    row = await db.fetch_one("SELECT digest, content FROM one_time_codes")
    assert row is not None
    kept = row["digest"] + row["content"]
    for secret in (query["state"][0], query["nonce"][0], client.http.cookies["social"]):
        assert secret.encode() not in kept


async def test_the_cookie_is_for_the_server_alone_and_nothing_is_cached(client: Client) -> None:
    went = await client.call("GET", f"{PATH}/kakao")
    cookie = went.headers["set-cookie"].lower()
    for word in ("httponly", "samesite=lax", "max-age=600", "path=/"):
        assert word in cookie
    assert "secure" not in cookie
    assert went.headers["cache-control"] == "no-store"
    assert went.headers["referrer-policy"] == "no-referrer"


async def test_over_https_the_cookie_is_this_host_s_alone(
    settings: Settings,
    db: Database,
    gateway: MemoryGateway,
    clock: MovableClock,
    stand_ins: StandIns,
) -> None:
    public = replace(settings, public_url="https://market.example")
    market = assemble(public, db, Gateways(gateway), clock, TimeOrderedIds(), stand_ins.providers)
    async with in_process(market) as client:
        went = await client.call("GET", f"{PATH}/kakao")
    cookie = went.headers["set-cookie"]
    assert cookie.startswith("__Host-social=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    back = parse_qs(urlsplit(went.headers["location"]).query)["redirect_uri"]
    assert back == ["https://market.example/api/auth/social/kakao/callback"]


async def test_social_sign_in_is_limited_by_address(
    settings: Settings,
    db: Database,
    gateway: MemoryGateway,
    clock: MovableClock,
    stand_ins: StandIns,
) -> None:
    counting = replace(settings, rate_limits=True)
    market = assemble(counting, db, Gateways(gateway), clock, TimeOrderedIds(), stand_ins.providers)
    for _ in range(300):
        await market.auth_throttle.social("127.0.0.1")
    async with in_process(market) as client:
        for method, path in (
            ("GET", "kakao"),
            ("GET", "kakao/callback"),
            ("GET", "exchange?code=x"),
        ):
            answer = await client.call(method, f"{PATH}/{path}")
            assert problem(answer) == (429, "rate_limited")
        exchanging = await client.call("POST", f"{PATH}/exchange", {"code": "x"})
    assert problem(exchanging) == (429, "rate_limited")
