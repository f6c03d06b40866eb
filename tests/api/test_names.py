"""What is said in two ways is one thing, at the API and in the shop's forms alike (A6, A7)."""

import asyncio
from typing import Any

import pytest

from market.app import Market
from market.members.nicknames import NicknameTaken
from market.members.oauth.identity import SocialIdentity
from tests.support.browser import browsing
from tests.support.web import Client, problem

UNSEEN = [
    *("\u3164", "\uffa0", "\u115f\u1160", "\u2800", "\u200b", "\u2060", "\ufeff", "\u00ad"),
    *("\ufe0f", "\u200e", "\U000e0041", "\u0301", "\u200d", "\U000e0100", "\u3000", "\ue000"),
]
SEEN = ["❤️", "👨‍👩‍👧‍👦", "大韓民國", "보라", "é"]
NFD = "\u1106\u1162\u11a8\u1107\u116e\u11a8"
INVALID = (400, "invalid_request")


def newcomer(name: str, nickname: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "password": "a password", "nickname": nickname}


async def sign_up(client: Client, name: str, nickname: str) -> Any:
    return await client.call("POST", "/api/auth/signup", newcomer(name, nickname))


async def test_a_name_of_which_nothing_is_seen_is_refused(client: Client, market: Market) -> None:
    seller = await client.member()
    for unseen in UNSEEN:
        assert problem(await sign_up(client, "unseen", unseen)) == INVALID, ascii(unseen)
        product = {"name": unseen, "price": 1, "quantity": 1}
        assert problem(await seller.call("POST", "/api/products", product)) == INVALID
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 0


async def test_a_form_refuses_a_name_of_which_nothing_is_seen(
    client: Client, market: Market
) -> None:
    _, sells = await market.members.sign_up("seller@example.com", "no password", "seller")
    async with browsing(market) as stranger, browsing(market, sells) as seller:
        await stranger.open("/signup")
        await seller.open("/sell")
        for unseen in UNSEEN:
            refused = await stranger.send("/signup", **newcomer("unseen", unseen))
            assert refused.status_code == 400, ascii(unseen)
            refused = await seller.send("/sell", name=unseen, price="1", quantity="1")
            assert refused.status_code == 400, ascii(unseen)


async def test_pictures_and_letters_of_all_tongues_are_names(client: Client) -> None:
    seller = await client.member()
    for number, name in enumerate(SEEN):
        made = await sign_up(client, f"seen{number}", name)
        assert (made.status_code, made.json()["member"]["nickname"]) == (201, name)
        product = await seller.post("/api/products", {"name": name, "price": 1, "quantity": 1})
        assert product["name"] == name


async def test_names_are_kept_composed_and_without_what_is_not_seen(client: Client) -> None:
    made = (await sign_up(client, "nfd", f"{NFD}\u200b 주인")).json()
    assert made["member"]["nickname"] == "맥북 주인"
    seller = Client(client.http, made["access_token"])
    body = {"name": f" {NFD}\u3164 파우치", "price": 1, "quantity": 1, "description": NFD * 2_000}
    product = await seller.post("/api/products", body)
    assert (product["name"], product["description"]) == ("맥북 파우치", "맥북" * 2_000)
    changed = await seller.call("PATCH", f"/api/products/{product['id']}", {"name": f"{NFD}\ufeff"})
    assert changed.json()["name"] == "맥북"


async def test_a_password_is_no_text_that_is_seen(client: Client) -> None:
    await client.post(
        "/api/auth/signup", newcomer("secret", "secret") | {"password": f"{NFD}\u200b12"}
    )
    for password, status in ((f"{NFD}\u200b12", 200), ("맥북12", 401), (f"{NFD}12", 401)):
        body = {"email": "secret@example.com", "password": password}
        assert (await client.call("POST", "/api/auth/login", body)).status_code == status


SAME = [
    "보라색",
    "\u1107\u1169\u1105\u1161\u1109\u1162\u11a8",
    "보 라색",
    "보라색\u200b",
    "보라색\ufe0f",
    "보라\u3164색",
]
BORA = ["Bora", "bora", "ＢＯＲＡ", "bοra", "b0ra", "BORA", "bo\u00adra"]


@pytest.mark.parametrize("names", [SAME, BORA])
async def test_a_nickname_is_one_members_alone_as_it_looks(
    client: Client, market: Market, names: list[str]
) -> None:
    first, *others = names
    assert (await sign_up(client, "first", first)).status_code == 201
    for other in others:
        assert problem(await sign_up(client, "other", other)) == (409, "nickname_taken"), ascii(
            other
        )
    async with browsing(market) as browser:
        await browser.open("/signup")
        refused = await browser.send("/signup", **newcomer("other", others[0]))
        assert refused.status_code == 400
        assert "비슷한 닉네임" in browser.text
    assert await market.db.fetch_value("SELECT count(*) FROM members") == 1
    assert (await sign_up(client, "other", first + "!")).status_code == 201


@pytest.mark.parametrize(
    "name", ["운영자", "고객 센터", "원티드마켓", "ａｄｍｉｎ", "аdmin", "관\u200b리자"]
)
async def test_a_nickname_of_the_markets_own_is_reserved(
    client: Client, market: Market, name: str
) -> None:
    assert problem(await sign_up(client, "other", name)) == (422, "nickname_reserved")
    async with browsing(market) as browser:
        await browser.open("/signup")
        refused = await browser.send("/signup", **newcomer("other", name))
        assert refused.status_code == 400
        assert "운영자로 오인될 수 있는 닉네임이에요" in browser.text
    assert await market.db.fetch_value("SELECT count(*) FROM members") == 0


async def test_concurrent_sign_ups_with_one_nickname_create_one_member(market: Market) -> None:
    came = await asyncio.gather(
        *(market.members.sign_up(f"m{n}@example.com", "none", "보라") for n in range(8)),
        return_exceptions=True,
    )
    refused = [one for one in came if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {NicknameTaken}
    assert len(refused) == 7


def known(subject: str, email: str | None = None, nickname: str | None = "보라") -> SocialIdentity:
    return SocialIdentity("kakao", subject, email, email_verified=True, nickname=nickname)


async def test_a_social_sign_in_gets_a_free_nickname(market: Market) -> None:
    await market.members.sign_up("bora@example.com", "none", "보라")
    came = [await market.social.find_or_create_member(known(str(n))) for n in range(12)]
    assert [member.nickname for member in came[:2]] == ["보라2", "보라3"]
    assert len({member.nickname for member in came}) == 12
    nameless = [
        await market.social.find_or_create_member(known(f"x{n}", nickname=name))
        for n, name in enumerate(["운영자", None, "\u3164"])
    ]
    assert [member.nickname for member in nameless] == ["회원", "회원2", "회원3"]


async def test_concurrent_social_sign_ins_with_one_name_all_succeed(market: Market) -> None:
    came = await asyncio.gather(
        *(market.social.find_or_create_member(known(str(n))) for n in range(6))
    )
    assert len({member.nickname for member in came}) == 6


SPELLINGS = [
    *(" Bora@Example.com", "ｂｏｒａ＠example.com", "bo\u200bra@example.com", "bora@example。com"),
    *("\ufeffbora@example.com", "bora@exam\u00adple.com", "bora@example.com."),
]


async def test_one_mailbox_is_one_member_however_it_is_spelled(
    client: Client, market: Market
) -> None:
    made = await client.post("/api/auth/signup", newcomer("x", "bora") | {"email": SPELLINGS[0]})
    assert made["member"]["email"] == "bora@example.com"
    for spelling in SPELLINGS:
        again = newcomer("x", "another") | {"email": spelling}
        refused = await client.call("POST", "/api/auth/signup", again)
        assert problem(refused) == (409, "email_taken"), ascii(spelling)
        body = {"email": spelling, "password": "a password"}
        assert (await client.call("POST", "/api/auth/login", body)).status_code == 200
        async with browsing(market) as browser:
            await browser.open("/signin")
            assert (await browser.send("/signin", **body)).status_code == 303, ascii(spelling)
        member = await market.members.set_operator(spelling, "a", "b", operator=True)
        assert member.id == made["member"]["id"]
        linked = await market.social.find_or_create_member(known("1", spelling))
        assert linked.id == member.id
        await market.db.execute(
            "UPDATE members SET password_hash = $1",
            await market.members.hash_password("a password"),
        )


async def test_an_address_that_is_invalid_once_normalized_is_refused(client: Client) -> None:
    for odd in (
        "a@b@c",
        "a＠b@c",
        "\u200b@example.com",
        "a@\u3164",
        "a\u202e@b.c",
        "a b@c",
        "a@℀c@",
        "a@",
    ):
        body = newcomer("x", "odd") | {"email": odd}
        refused = await client.call("POST", "/api/auth/signup", body)
        assert problem(refused) == INVALID, ascii(odd)
