"""Signing up and in through other companies, and what becomes of an older password."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.members.domain import STEP_UP_WINDOW, PasswordSet, WrongCredentials
from market.payments.ports import Gateways
from market.settings import Settings
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.providers import StandIns
from tests.support.web import in_process

from .conftest import Guest

ADDRESS = "haneul@example.com"  # which Kakao says is its first person's, and proven


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


@pytest.fixture
async def guest(market: Market) -> AsyncIterator[Guest]:
    async with in_process(market) as client:
        yield Guest(client.http)


async def by_kakao(guest: Guest, stand_ins: StandIns, page: str) -> str:
    """Presses Kakao's button on `page`; where that leads in the end."""
    way = re.findall(r'href="(/api/auth/social/kakao[^"]*)"', (await guest.get(page)).text)
    out = await guest.get(way[0].replace("&amp;", "&"))
    brought = await stand_ins.answer(out.headers["location"])
    answer = await guest.get(f"/api/auth/social/kakao/callback?{_query(brought)}")
    while (place := answer.headers["location"]).startswith("/signin/social"):
        answer = await guest.get(place)
    return place


def _query(values: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in values.items())


@pytest.mark.parametrize("page", ["/signin", "/signup"])
async def test_both_doors_lead_to_the_other_companies(
    guest: Guest, stand_ins: StandIns, page: str
) -> None:
    assert await by_kakao(guest, stand_ins, f"{page}?next=/me") == "/me"
    assert "하늘" in (await guest.get("/me")).text


async def taken_over(guest: Guest, market: Market, stand_ins: StandIns) -> str:
    await market.members.sign_up(ADDRESS, await market.members.hash_password("an old one"), "하늘")
    return await by_kakao(guest, stand_ins, "/signin?next=/sell")


async def test_a_member_whose_password_ended_is_told_and_chooses_another(
    guest: Guest, market: Market, stand_ins: StandIns
) -> None:
    place = await taken_over(guest, market, stand_ins)
    assert (urlsplit(place).path, urlsplit(place).query) == ("/me/password", "next=%2Fsell")
    page = (await guest.get(place)).text
    assert "본인 확인 전에 만든 비밀번호" in page
    assert ADDRESS in page
    assert "이전 비밀번호" in (await guest.get("/me")).text
    short = await guest.send("/me/password", password="short", next="/sell")
    assert (short.status_code, "8자 이상" in short.text) == (400, True)
    chosen = await guest.send("/me/password", password="a new password", next="/sell")
    assert (chosen.status_code, urlsplit(chosen.headers["location"]).path) == (303, "/sell")
    assert "이전 비밀번호" not in (await guest.get("/me")).text
    assert await market.members.sign_in(ADDRESS, "a new password")
    with pytest.raises(WrongCredentials):
        await market.members.sign_in(ADDRESS, "an old one")
    # Not a second time: that is changing a password, and needs the old one.
    again = await guest.send("/me/password", password="another password", next="/sell")
    assert again.headers["location"] == "/me"
    assert await market.members.sign_in(ADDRESS, "a new password")


async def test_who_needs_no_password_is_told_once(
    guest: Guest, market: Market, stand_ins: StandIns
) -> None:
    await taken_over(guest, market, stand_ins)
    on = await guest.send("/me/password/none", next="/sell")
    assert on.headers["location"] == "/sell"
    assert "이전 비밀번호는" not in (await guest.get("/me")).text
    await guest.send("/signout")
    assert await by_kakao(guest, stand_ins, "/signin?next=/sell") == "/sell"


async def test_a_password_is_chosen_soon_after_a_sign_in_alone(
    guest: Guest, market: Market, stand_ins: StandIns, clock: MovableClock
) -> None:
    """A browser that somebody left signed in gives nobody a lasting key."""
    await taken_over(guest, market, stand_ins)
    clock.move(seconds=STEP_UP_WINDOW.total_seconds() + 1)
    late = await guest.send("/me/password", password="a thief's password", next="/sell")
    assert (late.status_code, "다시 로그인" in late.text) == (400, True)
    with pytest.raises(WrongCredentials):
        await market.members.sign_in(ADDRESS, "a thief's password")
    again = re.findall(r'href="/api/auth/social/kakao\?([^"]*)"', late.text)
    assert "password" in again[0]


async def test_nobody_else_has_a_use_for_that_page(guest: Guest, market: Market) -> None:
    await guest.sign_up()
    assert (await guest.get("/me/password")).headers["location"] == "/me"
    refused = await guest.send("/me/password", password="another password")
    assert refused.headers["location"] == "/me"
    member, pair = await market.members.sign_up("b@example.com", "no password", "b")
    caller = await market.members.authenticate_token(pair.access_token)
    with pytest.raises(PasswordSet):
        await market.members.choose_password(caller, "another hash")
    assert (await market.members.get(member.id)).password_hash == "no password"
