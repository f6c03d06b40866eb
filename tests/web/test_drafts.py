"""Nothing that was typed or chosen is lost: not by a sign-out elsewhere, not by a bad photo."""

import re
from typing import Any

from playwright.sync_api import expect

from .conftest import Visit
from .person import CHAIR, picture


def files(*names: str) -> Any:
    """Photos, each of another size; one whose name says so is none."""
    return [
        {
            "name": name,
            "mimeType": "image/jpeg",
            "buffer": b"no photo" if "bad" in name else picture(300 + 40 * number, 300),
        }
        for number, name in enumerate(names)
    ]


def test_a_form_of_goods_survives_a_sign_out_in_another_tab(visit: Visit) -> None:
    seller = visit().sign_up("보라")
    page = seller.page
    seller.go("/sell")
    seller.fill(**CHAIR)
    page.locator("[name=photos]").set_input_files(files("one.jpg", "two.jpg"))
    seller.sign_out_in_another_tab()
    seller.press("등록하기")
    expect(page.get_by_role("alert")).to_contain_text("다시 로그인하면")
    seller.sign_in_again()
    assert seller.path == "/sell"
    for name, value in CHAIR.items():
        expect(page.locator(f"main [name={name}]")).to_have_value(value)
    thumbs = page.locator(".thumbs img")
    expect(thumbs).to_have_count(2)
    assert all(thumbs.nth(n).evaluate("image => image.naturalWidth") > 0 for n in range(2))
    seller.press("등록하기")
    page.wait_for_url(re.compile("/products/"))
    expect(page.locator("main h1")).to_have_text(CHAIR["name"])
    assert page.locator("main img[src*='/photos/']").count() >= 2


def test_a_bad_photo_is_named_and_the_good_ones_stay(visit: Visit) -> None:
    seller = visit().sign_up("보라")
    page = seller.page
    seller.go("/sell")
    seller.fill(**CHAIR)
    page.locator("[name=photos]").set_input_files(files("one.jpg", "bad.jpg", "three.jpg"))
    seller.press("등록하기")
    expect(page.locator("#wrong-photos")).to_contain_text("bad.jpg")
    expect(page.locator(".thumbs img")).to_have_count(2)
    page.locator("[name=photos]").set_input_files(files("four.jpg"))
    seller.press("등록하기")
    page.wait_for_url(re.compile("/products/"))
    assert page.locator("main img[src*='/photos/']").count() >= 3


def test_what_was_typed_for_a_trade_is_there_after_the_sign_in_and_once(visit: Visit) -> None:
    product = visit().sign_up("보라").sell()
    buyer = visit().sign_up("준")
    page, trade = buyer.page, buyer.buy(product)
    buyer.go(f"{trade}/cancel")
    buyer.fill(reason="마음이 바뀌었어요")
    buyer.sign_out_in_another_tab()
    page.locator("main form button").click()
    buyer.sign_in_again()
    assert buyer.path == f"{trade}/cancel"
    expect(page.locator("[name=reason]")).to_have_value("마음이 바뀌었어요")
    buyer.go("/")
    buyer.go(f"{trade}/cancel")
    expect(page.locator("[name=reason]")).to_have_value("")
    assert page.evaluate("sessionStorage.getItem('typed')") is None
