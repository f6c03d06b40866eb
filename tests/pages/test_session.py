"""The cookie, the headers, and the errors of pages."""

import pytest

from market.app import Market
from market.members.domain import TokenInvalid
from market.web.page import policy
from market.web.visitor import Shop, safe_next

from .conftest import Guest


async def test_a_session_s_cookie_is_out_of_reach_of_scripts_and_other_sites(guest: Guest) -> None:
    email = {"email": "a@example.com", "password": "a password", "nickname": "a"}
    answer = await guest.send("/signup", **email)
    session = next(c for c in answer.headers.get_list("set-cookie") if "market_session=ey" in c)
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(session.split("; "))
    assert "Secure" not in session  # on one's own machine, where there is no TLS


def test_outside_of_one_s_own_machine_cookies_travel_over_tls_alone() -> None:
    shop = Shop("secret", "https://market.example")
    cookie = shop.cookie("session", "token", 60)
    assert (cookie.key, cookie.secure, cookie.path) == ("__Host-market_session", True, "/")


async def test_a_cookie_is_no_bearer_token(guest: Guest, market: Market) -> None:
    await guest.sign_up()
    with pytest.raises(TokenInvalid):
        await market.members.authenticate_token(guest.cookies["market_session"])


async def test_a_bearer_token_is_no_cookie(guest: Guest, market: Market) -> None:
    _, pair = await market.members.sign_up("b@example.com", "no password", "b")
    guest.cookies["market_session"] = pair.access_token
    answer = await guest.get("/me")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=%2Fme")


NEWCOMER = {"email": "a@example.com", "password": "a password", "nickname": "a"}


async def test_a_form_without_this_session_s_seal_changes_nothing(
    guest: Guest, market: Market
) -> None:
    await guest.get("/signup")
    for seal in ({}, {"seal": ""}, {"seal": market.shop.seal("stranger somebody else")}):
        refused = await guest.http.post("/signup", data={**NEWCOMER, **seal})
        assert refused.status_code == 403
    assert await market.db.fetch_value("SELECT count(*) FROM members") == 0


async def test_a_form_of_another_site_changes_nothing(guest: Guest, market: Market) -> None:
    for named in ("https://evil.example", "null"):
        refused = await guest.send("/signup", origin=named, **NEWCOMER)
        assert refused.status_code == 403
    assert await market.db.fetch_value("SELECT count(*) FROM members") == 0


async def test_signing_out_ends_the_session_and_not_only_the_cookie(guest: Guest) -> None:
    await guest.sign_up()
    kept = dict(guest.cookies)
    assert (await guest.send("/signout")).status_code == 303
    guest.cookies = kept
    assert (await guest.get("/me")).status_code == 303


async def test_every_page_forbids_what_is_in_line_or_from_elsewhere(guest: Guest) -> None:
    for path in ("/", "/signin", "/nowhere"):
        headers = (await guest.get(path)).headers
        assert headers["content-security-policy"] == policy()
        assert "unsafe" not in policy()
        assert headers["x-content-type-options"] == "nosniff"


def test_the_checkout_page_lets_in_the_sdk_s_origin_and_no_other_script() -> None:
    rules = policy("https://cdn.portone.io/v2/browser-sdk.js")
    assert "script-src 'self' https://cdn.portone.io;" in rules
    assert "frame-src https://cdn.portone.io https:" in rules


async def test_programs_are_answered_problems_where_browsers_see_pages(guest: Guest) -> None:
    page = await guest.get("/nowhere")
    assert (page.status_code, "없는 페이지" in page.text) == (404, True)
    problem = await guest.get("/nowhere", accept="application/json")
    assert problem.headers["content-type"] == "application/problem+json"
    problem = await guest.get("/api/nowhere")
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "away",
    [
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
        *("/\t/evil.example", "/\n/evil.example", "evil.example", "javascript:alert(1)", ""),
        "/" + "a" * 500,
    ],
)
def test_only_a_path_of_this_site_is_led_to(away: str) -> None:
    assert safe_next(away) == "/"


def test_a_path_of_this_site_keeps_its_query() -> None:
    assert safe_next("/me/purchases?status=PAID") == "/me/purchases?status=PAID"


async def test_a_wrong_password_is_told_beside_the_field_and_kept_nowhere(guest: Guest) -> None:
    answer = await guest.send("/signin", email="x@example.com", password="not this one")
    assert answer.status_code == 401
    assert "이메일이나 비밀번호가 맞지 않아요" in answer.text
    assert "not this one" not in answer.text
    assert 'value="x@example.com"' in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("GET", "/trades/no/such"), ("POST", "/products/1")]
)
async def test_an_address_that_leads_nowhere_leaves_everybody_who_they_are(
    guest: Guest, method: str, path: str
) -> None:
    await guest.sign_up()
    answer = await guest.http.request(method, path, headers=guest._headers({}))
    assert answer.status_code in {404, 405}
    assert ("nav-me" in answer.text, "손님" in answer.text) == (True, True)
    guest.http.cookies.clear()
    stranger = await guest.http.request(method, path, headers={"accept": "text/html"})
    assert "nav-me" not in stranger.text


async def test_a_page_of_trouble_comes_even_if_nobody_can_say_whose_it_is(
    guest: Guest, market: Market
) -> None:
    await guest.sign_up()
    await market.db.close()
    answer = await guest.get("/nowhere")
    assert (answer.status_code, "nav-me" in answer.text) == (404, False)
