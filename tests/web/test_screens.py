"""Every screen shows what a large one shows."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from .conftest import Visit
from .person import picture

SCREENS: dict[str, Any] = {
    "phone": {"viewport": {"width": 390, "height": 844}},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "small": {"viewport": {"width": 320, "height": 568}},
    "wide": {"viewport": {"width": 1280, "height": 800}},
}


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("screen", SCREENS)
def test_everybody_reaches_their_profile_and_the_way_out(
    visit: Visit, screen: str, language: str
) -> None:
    person = visit(**SCREENS[screen]).sign_up("아주 긴 닉네임을 가진 보라")
    person.go(f"/lang/{language}?next=/")
    page = person.page
    profile = page.get_by_role("link", name="아주 긴 닉네임을 가진 보라")
    box = profile.bounding_box()
    assert box is not None
    # Large enough for a finger (WCAG 2.5.8), and on the screen.
    assert box["width"] >= 22
    assert box["height"] >= 22
    assert box["x"] + box["width"] <= SCREENS[screen]["viewport"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    profile.click()
    out = page.get_by_role("button", name="로그아웃" if language == "ko" else "Sign out")
    out.scroll_into_view_if_needed()
    out.click()
    expect(page.locator(".nav-me")).to_have_count(0)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_collides_on_a_phone(visit: Visit, language: str) -> None:
    seller, buyer = visit(**SCREENS["phone"]).sign_up("보라"), visit(**SCREENS["phone"])
    trade = buyer.sign_up("준").buy(seller.sell(price="12000"))
    buyer.ask_for_account()
    buyer.go(f"/lang/{language}?next={trade}")
    brand, profile = _box(buyer.page, ".brand"), _box(buyer.page, ".nav-me")
    assert abs(_middle(brand) - _middle(profile)) < 10  # in one row
    heading, account = _box(buyer.page, ".next h2:visible"), _box(buyer.page, ".account")
    assert account["y"] - (heading["y"] + heading["height"]) >= 8
    number = _box(buyer.page, ".account .number")
    assert number["height"] < 40  # in one line
    assert number["x"] + number["width"] <= account["x"] + account["width"]
    seller.go(f"/lang/{language}?next=/sell")
    for field in seller.page.locator(".with-suffix").all():
        digits, unit = field.locator("input").bounding_box(), field.locator(".suffix")
        assert digits is not None
        assert digits["x"] + digits["width"] <= _box(unit)["x"] + 1
    seller.go("/me/products")
    tab = _box(seller.page, ".tabs [aria-current]")
    assert tab["x"] + tab["width"] <= 390


def _box(where: Page | Locator, part: str = ":scope") -> FloatRect:
    box = where.locator(part).bounding_box()
    assert box is not None, part
    return box


def _middle(box: FloatRect) -> float:
    return box["y"] + box["height"] / 2


def test_a_tall_photo_leaves_the_texts_together(visit: Visit) -> None:
    buyer, seller = visit(**SCREENS["wide"]).sign_up("준"), visit().sign_up("보라")
    product = seller.sell(photo=picture(600, 2400))
    page = buyer.page

    def top_of(part: str) -> float:
        box = page.locator(part).bounding_box()
        assert box is not None
        return box["y"]

    def bottom_of(part: str) -> float:
        box = page.locator(part).bounding_box()
        assert box is not None
        return box["y"] + box["height"]

    for parts in ([".facts", ".story"], [".facts", ".story", ".deals"]):
        buyer.go(product)
        page.locator(".gallery img").evaluate("photo => photo.decode()")
        assert bottom_of(".gallery") - top_of(".gallery") > 1000
        for above, below in pairwise(parts):
            assert top_of(below) - bottom_of(above) < 60, (above, below)
        if ".deals" not in parts:
            buyer.buy(product)


def test_an_account_number_is_copied_with_one_press(visit: Visit) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    buyer = visit(**SCREENS["phone"], permissions=allowed).sign_up("준")
    buyer.buy(visit().sign_up("보라").sell())
    number = buyer.ask_for_account()
    button = buyer.page.get_by_role("button", name="복사")
    button.click()
    expect(button).to_have_text("복사했어요")
    assert buyer.page.evaluate("navigator.clipboard.readText()") == number
    expect(button).to_have_text("복사")
    buyer.page.context.clear_permissions()
    buyer.page.context.grant_permissions(["clipboard-read"])  # and so not the other
    button.click()
    selected = """new Promise((done) => {
      const look = () => (`${getSelection()}` ? done(`${getSelection()}`) : setTimeout(look, 10));
      look();
    })"""
    assert buyer.page.evaluate(selected) == number
