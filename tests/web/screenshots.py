"""`make screenshots`: every page as a member sees it, into docs/screenshots.

Small JPEGs, on a computer and, of the pages people use on the way, on a phone.
"""

import asyncio
import tempfile
from functools import partial
from pathlib import Path

import httpx
from playwright.sync_api import Page

from tests.sandbox.browser import chromium
from tests.support.databases import Databases
from tests.support.processes import running_market, running_sandbox

from .conftest import elsewhere
from .console_tour import appoint, console_tour
from .person import Person
from .tour import tour

PLACE = Path(__file__).parents[2] / "docs" / "screenshots"
LARGEST = 150 * 1024
WIDE, NARROW = {"width": 1200, "height": 750}, {"width": 390, "height": 844}
ON_A_PHONE = {
    "list",
    "product",
    "checkout",
    "virtual-account",
    "confirm",
    "purchases",
    "notices",
    "console",
    "console-payments",
    "console-payment",
    "console-incidents",
}


def main() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as kept:
        data = Path(kept)
        databases = Databases.start(data / "postgres")
        dsn = asyncio.run(databases.create())
        with (
            running_sandbox(data) as sandbox,
            running_market(dsn, data, 1, sandbox) as market,
            chromium() as browser,
            httpx.Client(base_url=sandbox, trust_env=False) as gateway,
        ):
            people = [Person(browser, market.servers[0], viewport=WIDE) for _ in range(2)]
            for name, person in tour(people[0], people[1], gateway):
                _take(person.page, name)
            operator = Person(browser, market.servers[0], viewport=WIDE)
            make = partial(_appoint, dsn)
            for name, person in console_tour(operator, people[0], people[1], gateway, make):
                _take(person.page, name)


def _appoint(dsn: str, nickname: str) -> None:
    elsewhere(appoint(dsn, nickname))


def _take(page: Page, name: str) -> None:
    page.evaluate("document.activeElement && document.activeElement.blur()")
    page.wait_for_load_state("load")
    _keep(page, PLACE / f"{name}.jpg")
    if name in ON_A_PHONE:
        page.set_viewport_size(NARROW)  # type: ignore[arg-type] # a dict is what it wants
        _keep(page, PLACE / f"{name}-phone.jpg")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type] # the same


def _keep(page: Page, path: Path) -> None:
    page.screenshot(path=path, type="jpeg", quality=72, full_page=True)
    assert path.stat().st_size <= LARGEST, f"{path.name} is too large"


if __name__ == "__main__":
    main()
