"""A page that updates itself takes nothing away from whoever reads, types or presses there."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.processes import RunningMarket

from .conftest import Visit
from .person import Person

TIMES_A_SECOND = 20
PRESSES = 200
# How long a finger stays down, in milliseconds: some as short as a mouse's, some as long as a tap.
HELD = (0, 20, 60, 110)
SHOWN, UNSEEN = "product_name = 'chair ' || $2", "product_name = product_name || left($2, 0)"
# The button moves by a few lines, up and down.
MOVED = "product_name = repeat('a long name ', 1 + 20 * (right($2, 1)::int % 2))"

# Counts what arrives, and keeps the page where it is.
COUNT = """
Object.assign(window, { begun: 0, presses: 0, updates: 0, looks: 0 });
const isButton = (target) => target.matches("#trade button");
addEventListener("pointerdown", (event) => { window.begun += isButton(event.target); });
document.addEventListener("submit", (event) => { event.preventDefault(); window.presses += 1; });
document.addEventListener("htmx:afterSwap", () => { window.updates += 1; });
document.addEventListener("htmx:afterRequest", () => { window.looks += 1; });
"""
# A form that stands in the part that changes, as later pages may have one.
FORM = """<form id="drafts" action="/nowhere">
<input name="line" value="as it was"><textarea name="text">as it was</textarea>
<input type="checkbox" name="tick"><select name="one"><option>a</option><option>b</option></select>
<input type="file" name="photo"><details><summary>more</summary>less</details></form>"""


@contextmanager
def told_of_changes(dsn: str, trade: str, change: str) -> Iterator[None]:
    """All through the block, the pages of a trade hear of changes, so many times a second."""
    id, over = trade.rpartition("/")[2], threading.Event()

    async def tell() -> None:
        connection = await asyncpg.connect(dsn)
        number = 0
        while not over.wait(1 / TIMES_A_SECOND):
            number += 1
            sql = f"UPDATE trades SET {change} WHERE id = $1"  # noqa: S608 # one of those above
            await connection.execute(sql, id, str(number))
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(tell()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def until(page: Page, counted: str, so_often: int) -> None:
    """Waits without `wait_for_function`, which evaluates text: the shop's policy forbids that."""
    page.evaluate(
        """([counted, often]) => new Promise((done) => {
          const look = () => (window[counted] >= often ? done() : setTimeout(look, 10));
          look();
        })""",
        [counted, so_often],
    )


def paid(visit: Visit) -> tuple[Person, Person, str]:
    """A trade that waits for its seller's approval."""
    seller, buyer = visit().sign_up("보라"), visit().sign_up("준")
    trade = buyer.buy(seller.sell())
    buyer.pay_by_card()
    buyer.sees("결제가 완료됐어요")
    seller.go(trade)
    seller.sees("구매자가 결제했어요")
    return seller, buyer, trade


@pytest.mark.parametrize("change", [SHOWN, MOVED, UNSEEN], ids=["shown", "moved", "unseen"])
def test_no_press_is_lost_on_a_page_that_is_told_of_changes_all_the_time(
    visit: Visit, shop: RunningMarket, change: str
) -> None:
    seller, _, trade = paid(visit)
    page = seller.page
    page.evaluate(COUNT)
    button = page.get_by_role("button", name="판매승인")
    with told_of_changes(shop.dsn, trade, change):
        until(page, "looks", 6)
        press = 0
        # A button that moves is missed now and then: that press did not begin on it.
        while (begun := page.evaluate("window.begun")) < PRESSES:
            box = button.bounding_box()
            assert box is not None
            at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.click(*at, delay=HELD[press % len(HELD)])
            press += 1
    assert page.evaluate("window.presses") == begun
    updates = page.evaluate("window.updates")
    assert updates == 0 if change == UNSEEN else updates > TIMES_A_SECOND


def test_the_keyboard_stays_where_it_is_and_every_press_of_it_counts(
    visit: Visit, shop: RunningMarket
) -> None:
    seller, _, trade = paid(visit)
    page = seller.page
    page.evaluate(COUNT)
    button = page.get_by_role("button", name="판매승인")
    button.focus()
    with told_of_changes(shop.dsn, trade, SHOWN):
        until(page, "updates", 6)
        for press in range(PRESSES // 4):
            page.keyboard.press("Space" if press % 2 else "Enter", delay=HELD[press % len(HELD)])
        expect(button).to_be_focused()
    assert page.evaluate("window.presses") == PRESSES // 4


def test_a_press_that_lasts_keeps_its_page_but_not_for_ever(
    visit: Visit, shop: RunningMarket
) -> None:
    """A finger that never goes up again, as far as the page can tell, stops nothing."""
    seller, _, trade = paid(visit)
    page = seller.page
    page.evaluate(COUNT)
    with told_of_changes(shop.dsn, trade, SHOWN):
        until(page, "updates", 6)
        page.get_by_role("button", name="판매승인").hover()
        page.mouse.down()
        before = page.evaluate("window.updates")
        until(page, "updates", before + 5)
        page.mouse.up()
    assert page.evaluate("window.presses") == 1


def test_what_is_typed_ticked_and_unfolded_stays(visit: Visit, shop: RunningMarket) -> None:
    seller, _, trade = paid(visit)
    page = seller.page
    page.route(re.compile(re.escape(trade) + r"(\?|$)"), _with_a_form)
    seller.go(trade)
    page.evaluate(COUNT)
    seller.fill(text="typed", line="half a line")
    page.locator("#drafts [name=tick]").check()
    page.locator("#drafts [name=one]").select_option("b")
    photo = {"name": "one.jpg", "mimeType": "image/jpeg", "buffer": b"one"}
    page.locator("#drafts [name=photo]").set_input_files(photo)  # type: ignore[arg-type]
    page.locator("#drafts summary").click()
    line = page.locator("#drafts [name=line]")
    line.evaluate("line => { line.focus(); line.setSelectionRange(2, 4); }")
    with told_of_changes(shop.dsn, trade, SHOWN):
        until(page, "updates", 6)
    expect(line).to_have_value("half a line")
    expect(line).to_be_focused()
    assert line.evaluate("line => [line.selectionStart, line.selectionEnd]") == [2, 4]
    expect(page.locator("#drafts [name=text]")).to_have_value("typed")
    expect(page.locator("#drafts [name=tick]")).to_be_checked()
    expect(page.locator("#drafts [name=one]")).to_have_value("b")
    assert page.locator("#drafts [name=photo]").evaluate("field => field.files.length") == 1
    assert page.locator("#drafts details").evaluate("more => more.open")
    page.unroute_all(behavior="wait")


def test_what_was_typed_for_one_step_is_not_there_at_the_next(
    visit: Visit, shop: RunningMarket
) -> None:
    """The form gives way to another: its text does not move into that one."""
    seller, _, trade = paid(visit)
    page = seller.page
    page.route(re.compile(re.escape(trade) + r"(\?|$)"), _with_a_form)
    seller.go(trade)
    seller.fill(line="for the first step")
    page.evaluate("document.getElementById('drafts').action = '/another'")
    page.evaluate(COUNT)
    with told_of_changes(shop.dsn, trade, SHOWN):
        until(page, "updates", 2)
    expect(page.locator("#drafts [name=line]")).to_have_value("as it was")
    page.unroute_all(behavior="wait")


def test_the_countdown_keeps_its_place(visit: Visit, shop: RunningMarket) -> None:
    """Nothing jumps: between two updates what is counted down never goes away."""
    buyer = visit().sign_up("준")
    trade = buyer.buy(visit().sign_up("보라").sell())
    buyer.go(trade)
    page = buyer.page
    page.evaluate(COUNT)
    page.locator(".countdown").evaluate("shown => { shown.mine = true; }")
    with told_of_changes(shop.dsn, trade, SHOWN):
        until(page, "updates", 6)
    assert page.locator(".countdown").evaluate("shown => shown.mine")


def _with_a_form(route: Route) -> None:
    answer = route.fetch()
    if answer.status != 200:
        route.fulfill(response=answer)
        return
    body = answer.text().replace('<section class="panel">', FORM + '<section class="panel">', 1)
    route.fulfill(response=answer, body=body)


def test_a_page_that_comes_back_from_the_cache_looks_again(visit: Visit) -> None:
    seller, _, trade = paid(visit)
    page = seller.page
    page.add_init_script(COUNT)
    seller.go(trade)
    until(page, "looks", 1)  # as each page does as soon as it listens
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    until(page, "looks", 2)
