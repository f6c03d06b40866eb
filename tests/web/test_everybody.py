"""Everybody can use every page: by screen reader, by keyboard, on a phone, in English."""

import httpx
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect

from .conftest import Visit
from .tour import tour

GRAVE = {"serious", "critical"}
PHONE_WIDTH = 390
OURS = {"iframes": False}  # the gateway's window is another company's page


def test_no_page_shuts_anybody_out(visit: Visit, gateway: httpx.Client) -> None:
    """axe-core finds no grave fault, by day or by night, and no page is wider than a phone."""
    axe, faults = Axe(), []
    for name, person in tour(visit(), visit(), gateway):
        page = person.page
        found = axe.run(page, options=OURS).response["violations"]
        page.emulate_media(color_scheme="dark")
        found += axe.run(page, options={**OURS, "runOnly": ["color-contrast"]}).response[
            "violations"
        ]
        page.emulate_media(color_scheme="light")
        faults += [
            (name, fault["id"], [node["html"][:120] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in GRAVE
        ]
        page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
        if page.evaluate("document.documentElement.scrollWidth") > PHONE_WIDTH:
            faults.append((name, "wider than a phone", []))
        page.set_viewport_size({"width": 1280, "height": 800})
    assert faults == []


def test_every_page_speaks_english_a_click_away(visit: Visit) -> None:
    person = visit()
    person.go("/signin?next=/me")
    person.page.get_by_role("link", name="English").click()
    assert person.path == "/signin"
    assert "Welcome back" in person.text
    assert "next=%2Fme" in person.page.url or "next=/me" in person.page.url
    assert person.page.locator("html").get_attribute("lang") == "en"
    person.page.get_by_role("link", name="한국어").click()
    assert "다시 만나 반가워요" in person.text


def test_the_api_s_documentation_is_dressed(visit: Visit) -> None:
    person = visit()
    person.go("/docs")
    button = person.page.get_by_role("button", name="Authorize")
    expect(button).to_have_css("border-top-style", "solid")
    expect(button).to_have_css("border-top-color", "rgb(73, 204, 144)")
