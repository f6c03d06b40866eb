"""What the shop refuses, seen from a browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.processes import RunningMarket

from .conftest import Visit
from .person import CHAIR

SCRIPT = (
    '<script>window.stolen = true</script><img src=x onerror="window.stolen = true">\'"`{{7*7}}'
)


def test_a_script_in_any_field_stays_text(visit: Visit) -> None:
    seller, buyer = visit().sign_up("<b>보라</b>"), visit().sign_up("<i>준</i>")
    product = seller.sell(name=SCRIPT[:100], description=SCRIPT)
    expect(seller.page.locator("h1")).to_have_text(SCRIPT[:100])
    trade = buyer.buy(product)
    buyer.go(f"{trade}/cancel")
    buyer.fill(reason=SCRIPT)
    buyer.press("거래 취소하기")
    expect(buyer.page.locator("#trade")).to_contain_text(SCRIPT)
    pages = [product, f"{product}/edit", trade, "/me", "/me/sales?status=CANCELLED", "/me/notices"]
    for path in [*pages, f"/?q={SCRIPT}", f"/signin?next={SCRIPT}", f"/?say={SCRIPT}", "/"]:
        seller.go(path)
        assert seller.page.evaluate("window.stolen") is None, path
        assert seller.page.locator("main b:has-text('보라'), main script").count() == 0, path


def test_a_form_that_another_site_sends_changes_nothing(visit: Visit, shop: RunningMarket) -> None:
    buyer = visit().sign_up("준")
    product = visit().sign_up("보라").sell()
    there = shop.sandbox  # another site, on another port
    seal: Any = {"seal": "0" * 64}
    asked = buyer.page.context.request

    def refused(**more: Any) -> bool:
        answer = asked.post(f"{product}/buy", max_redirects=0, **more)
        return answer.status == 403

    assert refused(form=seal)
    assert refused(form={})
    buyer.go(product)
    own: dict[str, str | float | bool] = {
        "seal": buyer.page.locator("form [name=seal]").first.input_value()
    }
    assert refused(form=own, headers={"origin": there})
    assert refused(form=own, headers={"origin": "null"})
    assert refused(form=own, headers={"sec-fetch-site": "cross-site"})
    stranger = visit()
    stranger.go("/signin")
    assert stranger.page.context.request.post("/signin", form=own, max_redirects=0).status == 403
    buyer.go(product)
    expect(buyer.page.locator(".facts .badge")).to_have_text("판매중")
    assert asked.post(f"{product}/buy", form=own, max_redirects=0).status == 303


def test_a_form_that_is_sent_twice_lists_once(visit: Visit) -> None:
    seller = visit().sign_up("보라")
    seller.go("/sell")
    hidden = seller.page.locator("main form [type=hidden]")
    form = {field.get_attribute("name"): field.input_value() for field in hidden.all()} | CHAIR

    def sent(**changed: str) -> str:
        fields: Any = form | changed
        answer = seller.page.context.request.post("/sell", multipart=fields, max_redirects=0)
        return answer.headers["location"]

    once = sent()
    assert sent() == once
    assert sent(name="식탁") != once
    seller.go("/me/products")
    expect(seller.page.locator(".card-name")).to_have_text(["식탁", CHAIR["name"]])


def test_what_is_another_s_is_not_there(visit: Visit) -> None:
    seller, buyer, stranger = visit().sign_up("보라"), visit().sign_up("준"), visit().sign_up("나")
    product = seller.sell()
    trade = buyer.buy(product)
    for path in (trade, f"{trade}/checkout", f"{trade}/cancel", f"{trade}/events"):
        answer = stranger.page.goto(path)
        assert answer is not None
        assert answer.status == 404, path
    answer = stranger.page.goto(f"{product}/edit")
    assert answer is not None
    assert answer.status == 404
    stranger.go(product)
    expect(stranger.page.locator(".deals")).to_have_count(0)


def test_a_stranger_is_asked_to_sign_in_and_led_back(visit: Visit) -> None:
    stranger = visit()
    stranger.go("/me/purchases?status=PAID")
    assert re.search("/signin", stranger.page.url)
    stranger.press("회원가입")
    stranger.fill(email="led.back@example.com", nickname="김준", password="a long password")
    stranger.press("가입하기")
    stranger.page.wait_for_url(re.compile(r"/me/purchases\?status=PAID$"))


@pytest.mark.parametrize("away", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_nobody_is_led_away(visit: Visit, shop: RunningMarket, away: str) -> None:
    person = visit().sign_up("준", next=away)
    assert person.page.url == f"{shop.servers[0]}/"


def test_a_session_that_was_ended_is_over_at_once(visit: Visit) -> None:
    person = visit().sign_up("준")
    kept = person.page.context.cookies()
    person.go("/me")
    person.press("로그아웃")
    expect(person.page.locator(".nav-sell")).to_have_text("회원가입")
    person.page.context.add_cookies(kept)  # type: ignore[arg-type] # what it gave, it takes
    person.go("/me")
    assert "/signin" in person.page.url
