"""The operators' console in a real browser."""

from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has none
from playwright.sync_api import ViewportSize

from tests.support.processes import RunningMarket

from .conftest import Visit, elsewhere
from .console_tour import appoint, console_tour
from .test_everybody import GRAVE

NARROW: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1200, "height": 750}


def test_no_page_of_the_console_shuts_anybody_out(
    visit: Visit, gateway: httpx.Client, shop: RunningMarket
) -> None:
    """axe-core finds no grave fault, and no page is wider than a phone's screen."""
    axe, faults = Axe(), list[Any]()
    operator = visit(viewport=WIDE)
    seller = visit().sign_up("보라")
    buyer = visit().sign_up("준")

    def make(nickname: str) -> None:
        elsewhere(appoint(shop.dsn, nickname))

    for name, person in console_tour(operator, seller, buyer, gateway, make):
        found = axe.run(person.page).response["violations"]
        faults += [
            (name, fault["id"], [node["html"][:120] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in GRAVE
        ]
        person.page.set_viewport_size(NARROW)
        wide = person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, name
        person.page.set_viewport_size(WIDE)
    assert faults == []
