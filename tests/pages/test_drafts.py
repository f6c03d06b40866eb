"""A form that has to be sent again is as it was, text and photos: after a sign-out elsewhere, and
where something in it can't be used."""

import io
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image

from market.app import Market
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.products.drafts import DRAFTS_MAX, LIFETIME, DraftService
from market.products.drafts_sql import SqlDrafts
from market.products.ports import ProcessedImage
from market.shared.errors import Unavailable
from market.shared.ids import MemberId
from market.worker import forget
from tests.support.clock import MovableClock
from tests.web.person import CHAIR

from .conftest import Guest
from .forms import Fields, sent

PASSWORD = "a password"
RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (40, 60, 200)


def photo(colour: tuple[int, int, int], name: str = "photo.jpg") -> Any:
    body = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(body, "JPEG")
    return ("photos", (name, body.getvalue(), "image/jpeg"))


async def member(guest: Guest, market: Market, name: str = "bora") -> MemberId:
    """Somebody with a password that these tests know."""
    answer = await guest.send(
        "/signup", email=f"{name}@example.com", password=PASSWORD, nickname=name
    )
    assert answer.status_code == 303, answer.text
    id: MemberId = await market.db.fetch_value("SELECT id FROM members WHERE nickname = $1", name)
    return id


async def sign_in(guest: Guest, next: str, name: str = "bora") -> httpx.Response:
    """Signs in, and goes on to `next`."""
    fields = Fields((await guest.get("/signin")).text, "/signin").values
    fields |= {"email": f"{name}@example.com", "password": PASSWORD, "next": next}
    headers = guest._headers({})
    answer = guest._kept(await guest.http.post("/signin", data=fields, headers=headers))
    assert answer.headers["location"] == next
    return await guest.get(next)


def sign_in_first(answer: httpx.Response) -> str:
    """Where the sign-in leads that an answer asks for."""
    assert answer.status_code == 303, answer.text
    asked = httpx.URL(answer.headers["location"])
    assert (asked.path, asked.params["refused"]) == ("/signin", "signed_out")
    return str(asked.params["next"])


async def colours(guest: Guest, page: str) -> list[tuple[int, int, int]]:
    """Of the photos that a form still has, or that a product's page shows, in order."""
    found = []
    for path in dict.fromkeys(re.findall(r'src="(/(?:drafts/\w+/photos/\d|photos/\w+))["/]', page)):
        answer = await guest.get(path)
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(answer.content)) as shown:
            found.append(min((RED, GREEN, BLUE), key=lambda one: _apart(one, shown)))
    return found


def _apart(colour: tuple[int, int, int], shown: Image.Image) -> int:
    red, green, blue = shown.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    return abs(colour[0] - red) + abs(colour[1] - green) + abs(colour[2] - blue)


@pytest.mark.parametrize("cookie", ["kept", "gone"])
async def test_a_form_of_a_member_who_was_signed_out_elsewhere_is_as_it_was(
    guest: Guest, market: Market, db: Database, cookie: str
) -> None:
    await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    elsewhere = Guest(guest.http, dict(guest.cookies))
    await elsewhere.send("/signout")
    if cookie == "gone":  # another tab of the same browser
        guest.cookies = elsewhere.cookies
    photos = [photo(RED), photo(BLUE)]
    next = sign_in_first(await sent(guest, "/sell", fields, photos))
    assert await db.fetch_value("SELECT count(*) FROM products") == 0
    said = await guest.get(f"/signin?next={next}&refused=signed_out")
    assert "다시 로그인하면 이어서" in said.text
    page = (await sign_in(guest, next)).text
    again = Fields(page, "/sell").values
    assert {name: again[name] for name in CHAIR} == CHAIR
    assert await colours(guest, page) == [RED, BLUE]
    listed = await sent(guest, "/sell", again)
    assert listed.status_code == 303
    shown = (await guest.get(listed.headers["location"])).text
    assert CHAIR["name"] in shown
    assert sorted(set(await colours(guest, shown))) == sorted([RED, BLUE])


async def test_who_signed_in_again_meanwhile_gets_their_form_at_once(
    guest: Guest, market: Market
) -> None:
    await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    await guest.send("/signout")
    await sign_in(guest, "/")
    again = await sent(guest, "/sell", fields, [photo(GREEN)])
    page = await guest.get(again.headers["location"])
    assert Fields(page.text, "/sell").values["name"] == CHAIR["name"]
    assert await colours(guest, page.text) == [GREEN]


async def test_a_draft_is_visible_to_its_member_alone(guest: Guest, market: Market) -> None:
    await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    await guest.send("/signout")
    next = sign_in_first(await sent(guest, "/sell", fields, [photo(RED)]))
    await member(guest, market, "jun")
    page = await guest.get(next)
    assert page.status_code == 200
    assert CHAIR["name"] not in page.text
    assert "drafts/" not in page.text
    assert (await guest.get(f"/drafts/{next.partition('=')[2]}/photos/1")).status_code == 404
    refused = await sent(guest, "/sell", fields, [photo(RED)])
    assert refused.status_code == 403


async def test_an_edit_is_as_it_was_with_what_was_ticked(guest: Guest, market: Market) -> None:
    await member(guest, market)
    listed = await guest.send("/sell", files=[photo(RED), photo(GREEN)], **CHAIR)
    path = f"{listed.headers['location'].partition('?')[0]}/edit"
    page = (await guest.get(path)).text
    gone = re.findall(r"gone-\w+", page)[0]
    fields = {**Fields(page, path).values, "name": "낡은 의자", gone: "on"}
    await guest.send("/signout")
    next = sign_in_first(await sent(guest, path, fields, [photo(BLUE)]))
    again = Fields((await sign_in(guest, next)).text, path).values
    assert (again["name"], again[gone]) == ("낡은 의자", "on")
    changed = await sent(guest, path, again)
    assert changed.status_code == 303
    shown = (await guest.get(changed.headers["location"])).text
    assert set(await colours(guest, shown)) == {GREEN, BLUE}


async def test_every_other_form_of_theirs_leads_to_the_sign_in_and_back(
    guest: Guest, market: Market, db: Database
) -> None:
    await member(guest, market)
    listed = await guest.send("/sell", **CHAIR)
    path = listed.headers["location"].partition("?")[0]
    buyer = Guest(guest.http)
    await member(buyer, market, "jun")
    fields = Fields((await buyer.get(path)).text, f"{path}/buy").values
    await buyer.send("/signout")
    headers = buyer._headers({"referer": f"{guest.http.base_url}{path}"})
    answer = await guest.http.post(f"{path}/buy", data=fields, headers=headers)
    assert sign_in_first(answer) == path
    assert await db.fetch_value("SELECT count(*) FROM trades") == 0


@pytest.mark.parametrize("wrong", ["seal", "session", "both", "old"])
async def test_a_form_that_nobody_was_shown_keeps_nothing(
    guest: Guest, market: Market, db: Database, clock: MovableClock, wrong: str
) -> None:
    id = await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    await guest.send("/signout")
    if wrong in {"seal", "both"}:
        fields["seal"] = "0" * 64
    if wrong in {"session", "both"}:
        fields["session"] = id if wrong == "both" else "no session"
    if wrong == "old":
        clock.move(days=1, seconds=1)
    refused = await sent(guest, "/sell", fields, [photo(RED)])
    assert refused.status_code == (303 if wrong == "old" else 403)
    assert await db.fetch_value("SELECT count(*) FROM drafts") == 0


async def test_a_photo_that_can_t_be_used_is_named_and_the_others_stay(
    guest: Guest, market: Market
) -> None:
    await member(guest, market)
    bad = ("photos", ("두 번째 <b>.heic", b"no photo", "image/jpeg"))
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    refused = await sent(guest, "/sell", fields, [photo(RED), bad, photo(BLUE)])
    assert refused.status_code == 400
    assert "두 번째 &lt;b&gt;.heic" in refused.text
    assert "photo.jpg" not in refused.text
    assert await colours(guest, refused.text) == [RED, BLUE]
    again = Fields(refused.text, "/sell").values
    twice = [await sent(guest, "/sell", again, [photo(GREEN)]) for _ in range(2)]
    assert twice[0].headers["location"] == twice[1].headers["location"]
    shown = (await guest.get(twice[0].headers["location"])).text
    assert sorted(set(await colours(guest, shown))) == sorted([RED, GREEN, BLUE])
    assert await market.db.fetch_value("SELECT count(*) FROM products") == 1
    cover: bytes = await market.db.fetch_value("SELECT full_size FROM photos WHERE position = 1")
    with Image.open(io.BytesIO(cover)) as first:
        assert _apart(RED, first) < _apart(GREEN, first)


async def test_whatever_else_is_wrong_photos_stay_until_they_are_left_out(
    guest: Guest, market: Market
) -> None:
    await member(guest, market)
    empty = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR, "name": ""}
    refused = await sent(guest, "/sell", empty, [photo(RED), photo(GREEN)])
    assert await colours(guest, refused.text) == [RED, GREEN]
    again = Fields(refused.text, "/sell").values | {"drop-1": "on"}
    still = await sent(guest, "/sell", again)
    assert (still.status_code, Fields(still.text, "/sell").values["drop-1"]) == (400, "on")
    more = Fields(still.text, "/sell").values
    other = await sent(guest, "/sell", more, [photo(BLUE)])
    assert await colours(guest, other.text) == [GREEN, BLUE]
    assert "drop-1" not in Fields(other.text, "/sell").values
    last = Fields(other.text, "/sell").values | {"name": "의자"}
    listed = await sent(guest, "/sell", last)
    shown = (await guest.get(listed.headers["location"])).text
    assert set(await colours(guest, shown)) == {GREEN, BLUE}


async def test_of_too_many_photos_the_first_stay(guest: Guest, market: Market) -> None:
    await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR}
    refused = await sent(guest, "/sell", fields, [photo(RED)] * 5 + [photo(BLUE)])
    assert (refused.status_code, "다섯 장까지" in refused.text) == (400, True)
    assert len(re.findall(r'src="/drafts/', refused.text)) == 5


async def test_a_busy_shop_keeps_what_was_typed(guest: Guest, market: Market) -> None:
    class Busy:
        async def process(self, raw: bytes) -> ProcessedImage:
            raise Unavailable

    await member(guest, market)
    market.products._images = Busy()
    refused = await guest.send("/sell", files=[photo(RED)], **CHAIR)
    assert refused.status_code == 503
    assert Fields(refused.text, "/sell").values["name"] == CHAIR["name"]


async def test_photos_that_are_kept_no_longer_are_asked_for_again(
    guest: Guest, market: Market, db: Database, clock: MovableClock
) -> None:
    await member(guest, market)
    fields = {**Fields((await guest.get("/sell")).text, "/sell").values, **CHAIR, "price": "0"}
    refused = await sent(guest, "/sell", fields, [photo(RED)])
    again = Fields(refused.text, "/sell").values | {"price": "45000"}
    clock.move(seconds=LIFETIME.total_seconds())
    await forget(market)
    assert await db.fetch_value("SELECT count(*) FROM draft_photos") == 0
    expired = await sent(guest, "/sell", again)
    assert (expired.status_code, "보관 기간이 지났어요" in expired.text) == (400, True)
    assert "draft" not in Fields(expired.text, "/sell").values
    last = Fields(expired.text, "/sell").values
    assert (await sent(guest, "/sell", last)).status_code == 303


async def test_a_member_has_a_few_drafts_for_a_day(
    guest: Guest, market: Market, db: Database, clock: MovableClock
) -> None:
    me, ids = await member(guest, market), TimeOrderedIds()
    drafts = DraftService(db, SqlDrafts(db), clock, ids)
    kept = [await drafts.keep(me, {"name": str(n)}, ()) for n in range(DRAFTS_MAX + 1)]
    assert await drafts.find(me, kept[0].id) is None
    assert await drafts.find(me, kept[1].id) == replace(kept[1], places=[])
    assert await drafts.find(MemberId(ids.new()), kept[1].id) is None
    clock.move(seconds=LIFETIME.total_seconds())
    assert await drafts.find(me, kept[1].id) is None
    assert await drafts.purge_expired(3) == 3
    assert await drafts.purge_expired(3) == 2
