"""The way to the checkout window and back: it opens inside the buyer's press, once per press."""

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.sandbox.browser import PHONE

from .conftest import Visit
from .person import Person

Json = dict[str, Any]

# An SDK that only notes how it was called, and answers as one does whose popup was blocked.
STUB = """
window.calls = [];
const note = () => {
  const calls = JSON.parse(sessionStorage.getItem("calls") || "[]");
  calls.push(navigator.userActivation.isActive);
  sessionStorage.setItem("calls", JSON.stringify(calls));
};
const blocked = { success: false, imp_uid: null, error_code: "F0001", error_msg: "popup blocked" };
window.IMP = { init() {}, request_pay(_, done) { note(); done(blocked); } };
"""


def begin(visit: Visit, **device: Any) -> tuple[Person, str]:
    """A buyer before the choice of how to pay; and the trade."""
    buyer = visit(**device).sign_up("준")
    return buyer, buyer.buy(visit().sign_up("보라").sell())


def press_pay(buyer: Person) -> None:
    buyer.choose("CARD")
    buyer.press(r"[\d,]+원 결제하기")


def attempts(gateway: httpx.Client) -> int:
    """How many windows were opened for the newest order."""
    items: list[Json] = gateway.get("/control/payments").json()["items"]
    newest = items[-1]["order_id"] if items else None
    return sum(item["order_id"] == newest for item in items)


def stub(page: Page) -> None:
    def answer(route: Route) -> None:
        route.fulfill(body=STUB, content_type="text/javascript")

    page.route(re.compile(r"/sdk/v1\.js$"), answer)


def calls(page: Page) -> list[bool]:
    kept = page.evaluate("sessionStorage.getItem('calls')")
    return json.loads(kept) if kept else []


@pytest.mark.parametrize("device", [{}, PHONE], ids=["computer", "phone"])
def test_the_window_is_opened_inside_the_press_and_a_blocked_one_leaves_its_button(
    visit: Visit, device: Json
) -> None:
    buyer, trade = begin(visit, **device)
    page = buyer.page
    stub(page)
    buyer.go(f"{trade}/checkout")
    press_pay(buyer)
    button = page.locator("#open-window")
    expect(button).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("popup blocked")
    for _ in range(2):
        # Not at once: no browser remembers the press before for so long.
        button.click()
        expect(button).to_be_visible()
    assert calls(page) == [True, True, True]
    assert re.search(r"/payments/\w+/window$", page.url)
    page.reload()
    expect(button).to_be_visible()
    assert calls(page) == [True, True, True]


def test_a_press_that_took_too_long_leaves_the_button(visit: Visit) -> None:
    """A browser forgets a press within seconds: a window that came after would be blocked."""
    buyer, trade = begin(visit)
    page = buyer.page
    stub(page)
    page.add_init_script(
        "Object.defineProperty(navigator, 'userActivation', { value: { isActive: false } })"
    )
    buyer.go(f"{trade}/checkout")
    press_pay(buyer)
    expect(page.locator("#open-window")).to_be_visible()
    assert calls(page) == []


def test_back_from_the_window_there_is_a_page_with_its_button_and_no_other_attempt(
    visit: Visit, gateway: httpx.Client
) -> None:
    buyer, trade = begin(visit, **PHONE)
    page = buyer.page
    press_pay(buyer)
    page.wait_for_url(re.compile("/checkout/"))
    page.locator("footer .pay").wait_for()
    assert attempts(gateway) == 1
    page.go_back()
    expect(page.locator("#open-window")).to_be_visible()
    assert re.search(r"/payments/\w+/window$", page.url)
    page.go_back()
    expect(page.get_by_role("button", name=re.compile("결제하기"))).to_be_visible()
    assert buyer.path == f"{trade}/checkout"
    page.go_forward()
    expect(page.locator("#open-window")).to_be_visible()
    assert attempts(gateway) == 1
    page.locator("#open-window").click()
    page.wait_for_url(re.compile("/checkout/"))
    page.locator("footer .pay").wait_for()
    assert attempts(gateway) == 2
    page.locator("label:has([value=approved])").click()
    page.locator("footer .pay").click()
    buyer.sees("결제가 완료됐어요")


def test_a_page_that_comes_back_from_the_cache_has_its_button(
    visit: Visit, gateway: httpx.Client
) -> None:
    buyer, _ = begin(visit)
    page = buyer.page
    press_pay(buyer)
    buyer.window.locator("footer .pay").wait_for()
    button = page.locator("#open-window")
    expect(button).to_be_hidden()
    with page.expect_navigation():
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(button).to_be_visible()
    assert attempts(gateway) == 1


def test_back_on_a_computer_leads_to_the_choice_again(visit: Visit) -> None:
    buyer, trade = begin(visit)
    page = buyer.page
    press_pay(buyer)
    buyer.window.locator("footer .pay").wait_for()
    page.go_back()
    expect(page.get_by_role("button", name=re.compile("결제하기"))).to_be_visible()
    assert buyer.path == f"{trade}/checkout"
    expect(page.locator("[data-portone-sandbox=checkout]")).to_have_count(0)


def test_what_is_wrong_with_the_choice_is_said_where_it_was_made(
    visit: Visit, gateway: httpx.Client
) -> None:
    buyer, trade = begin(visit)
    match = {"version": "V1", "method": "POST", "path": "/payments/prepare"}
    fault = {"match": match, "fault": "error_500", "times": 1}
    gateway.post("/control/faults", json=fault).raise_for_status()
    press_pay(buyer)
    expect(buyer.page.locator(".wrong")).to_be_visible()
    gateway.delete("/control/faults").raise_for_status()
    press_pay(buyer)
    buyer.window.locator("footer .pay").wait_for()
    # There is no window before the amount is registered (P2).
    assert buyer.path != f"{trade}/checkout"
