"""Everything but the card window works without JavaScript."""

import httpx
from playwright.sync_api import expect

from tests.support.processes import RunningMarket

from .conftest import Visit
from .person import PASSWORD


def test_a_sale_without_a_line_of_javascript(visit: Visit, gateway: httpx.Client) -> None:
    seller = visit(java_script_enabled=False).sign_up("보라")
    buyer = visit(java_script_enabled=False).sign_up("준")
    product = seller.sell()
    trade = buyer.buy(product)
    # Both choices are open, for nothing can unfold them.
    buyer.choose("CARD")
    buyer.press(r"[\d,]+원 결제하기")
    expect(buyer.page.locator("main")).to_contain_text("자바스크립트를 켜거나")
    buyer.press("다른 결제수단으로 결제하기")
    money = {"account_number": buyer.ask_for_account(), "amount": 45_000}
    gateway.post("/control/deposit", json=money).raise_for_status()
    expect(buyer.page.locator("#trade .without-js")).to_contain_text("새로 고침")
    heading = buyer.page.locator("#trade .next h2:visible")
    for _ in range(100):
        buyer.go(trade)
        if heading.inner_text() == "결제가 완료됐어요":
            break
    buyer.sees("결제가 완료됐어요")
    seller.go(trade)
    seller.press("판매승인")
    buyer.go(trade)
    buyer.press("구매확정")
    buyer.sees("거래가 완료됐어요")


def test_the_whole_list_can_be_turned_page_by_page(visit: Visit, shop: RunningMarket) -> None:
    person = visit(java_script_enabled=False)
    with httpx.Client(base_url=shop.servers[0], timeout=30, trust_env=False) as api:
        who = {"email": "many@example.com", "password": PASSWORD, "nickname": "많이"}
        token = api.post("/api/auth/signup", json=who).json()["access_token"]
        api.headers["authorization"] = f"Bearer {token}"
        for number in range(25):
            goods = {"name": f"쪽넘김 {number}", "price": 1000, "quantity": 1}
            api.post("/api/products", json=goods).raise_for_status()
    person.go("/?q=쪽넘")
    expect(person.page.locator(".card")).to_have_count(24)
    person.press("더 보기")
    expect(person.page.locator(".card")).to_have_count(1)
    person.go("/?q=없는것")
    expect(person.page.locator(".empty")).to_contain_text("검색 결과가 없어요")
