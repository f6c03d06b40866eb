"""Coming in by another company's account, in a real browser."""

import pytest
from playwright.sync_api import expect

from .conftest import Visit


@pytest.mark.parametrize(("button", "people"), [("카카오로 시작하기", 0), ("네이버로 시작하기", 1)])
def test_somebody_comes_in_by_another_company_and_buys(
    visit: Visit, button: str, people: int
) -> None:
    product = visit().sign_up("판매자").sell()
    buyer = visit()
    buyer.go(product)
    buyer.press("로그인하고 구매하기")
    buyer.press(button)
    stand_in = buyer.page
    expect(stand_in.locator(".brand")).to_contain_text("SANDBOX")
    nickname = stand_in.locator("fieldset strong").nth(people).inner_text()
    stand_in.locator("[name=person][type=radio]").nth(people).check()
    stand_in.get_by_role("button", name="동의하고 계속하기").click()
    expect(buyer.page.locator(".nav-me")).to_have_text(nickname)
    assert buyer.path == product
    assert buyer.buy(product).startswith("/trades/")


def test_who_says_no_at_the_other_company_is_still_a_stranger_and_told_so(
    visit: Visit,
) -> None:
    guest = visit()
    guest.go("/signin")
    guest.press("카카오로 시작하기")
    guest.page.get_by_role("button", name="취소").click()
    expect(guest.page.get_by_role("alert")).to_be_visible()
    assert guest.path == "/signin"
    assert guest.page.locator(".nav-me").count() == 0
