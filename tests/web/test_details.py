"""A market whose payment company must be told who pays: asked once, told, and refunded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.databases import Databases
from tests.support.processes import RunningMarket, running_market, running_sandbox

from .conftest import elsewhere
from .person import Person

Come = Callable[..., Person]
BORA = {
    "buyer_name": "김보라",
    "buyer_phone": "010-1234-5678",
    "buyer_email": "bora@example.com",
}


@pytest.fixture(scope="module")
def strict(
    browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningMarket]:
    """Behind its channel is a company that needs the phone number of whoever pays or is refunded,
    and all there is to know for an account."""
    assert browser
    data = Path(tmp_path_factory.mktemp("strict"))
    dsn = elsewhere(databases.create())
    with running_sandbox(data) as sandbox:
        keys = httpx.get(f"{sandbox}/control/credentials", trust_env=False).json()
        settings = {"companies": {keys["v1"]["channel_key"]: "smartro"}}
        with running_market(
            dsn, data, 1, sandbox, environment={"PORTONE_V1_COMPANY": "smartro"}
        ) as market:
            httpx.put(
                f"{sandbox}/control/settings", json=settings, trust_env=False
            ).raise_for_status()
            yield market


@pytest.fixture
def come(browser: Browser, strict: RunningMarket) -> Iterator[Come]:
    people: list[Person] = []

    def come(**device: Any) -> Person:
        people.append(Person(browser, strict.servers[0], **device))
        return people[-1]

    yield come
    for person in people:
        person.leave()
    assert [person.complaints for person in people if person.complaints] == []


def test_a_buyer_says_who_they_are_once(come: Come) -> None:
    buyer = come().sign_up("준")
    trade = buyer.buy(come().sign_up("보라").sell())
    page = buyer.page
    # By card the phone number is enough.
    expect(page.locator("[name=buyer_phone]")).to_be_visible()
    expect(page.locator("[name=buyer_name]")).to_be_hidden()
    buyer.choose("VIRTUAL_ACCOUNT")
    expect(page.locator("[name=buyer_name]")).to_be_visible()
    buyer.choose("CARD")
    buyer.fill(buyer_phone=BORA["buyer_phone"])
    buyer.pay_by_card("limit")
    expect(page.locator(".say")).to_contain_text("결제되지 않았어요")
    expect(page.locator("[name=buyer_phone]")).to_have_value(BORA["buyer_phone"])
    buyer.pay_by_card()
    buyer.sees("결제가 완료됐어요")
    assert buyer.path == trade


def test_a_deposit_pays_and_goes_back(come: Come, strict: RunningMarket) -> None:
    buyer = come().sign_up("준")
    buyer.buy(come().sign_up("보라").sell())
    buyer.choose("VIRTUAL_ACCOUNT")
    buyer.fill(**BORA)
    money = {"account_number": buyer.ask_for_account(), "amount": 45_000}
    url = f"{strict.sandbox}/control/deposit"
    httpx.post(url, json=money, trust_env=False).raise_for_status()
    buyer.sees("결제가 완료됐어요")
    buyer.press("결제취소")
    buyer.fill(
        reason="마음이 바뀌었어요", number="110 123 456789", holder="김보라", phone="010-1234-5678"
    )
    buyer.page.locator("[name=bank]").select_option("SHINHAN")
    buyer.press("결제취소")
    # This company reports the end of a refund later.
    buyer.sees("결제취소 진행 중")
