"""Whole sales, as two people live them in two browsers."""

import re
from collections.abc import Callable

import httpx
from playwright.sync_api import expect

from tests.sandbox.browser import PHONE

from .conftest import Visit
from .person import picture


def test_a_sale_by_card(visit: Visit) -> None:
    seller, buyer = visit().sign_up("보라"), visit().sign_up("준")
    product = seller.sell(photo=picture())
    expect(seller.page.locator(".gallery img")).to_have_count(1)
    trade = buyer.buy(product)
    buyer.pay_by_card("limit")
    expect(buyer.page.locator(".say")).to_contain_text("결제되지 않았어요")
    buyer.pay_by_card()
    buyer.sees("결제가 완료됐어요")
    # Each page changes by itself when the other one acts.
    seller.go(trade)
    seller.press("판매승인")
    seller.sees("구매확정을 기다리고 있어요")
    buyer.sees("상품을 받으셨나요?")
    buyer.press("구매확정")
    buyer.sees("거래가 완료됐어요")
    seller.sees("거래가 완료됐어요")
    seller.go("/me/notices")
    told = seller.page.locator(".notice strong")
    expect(told.nth(0)).to_contain_text("구매확정했어요")
    expect(told.nth(1)).to_contain_text("구매자가 결제했어요")
    expect(seller.page.locator(".count")).to_have_text("2")
    seller.press("모두 읽음")
    expect(seller.page.locator(".count")).to_have_count(0)
    buyer.go("/me/purchases")
    expect(buyer.page.locator(".line .price")).to_have_text("45,000원")
    buyer.go(product)
    expect(buyer.page.locator(".facts .badge")).to_have_text("완료")


def test_a_deposit_that_comes_too_late_revives_the_sale(
    visit: Visit, gateway: httpx.Client, run_out: Callable[[str], None]
) -> None:
    seller, buyer = visit().sign_up("보라"), visit(**PHONE).sign_up("준")
    trade = buyer.buy(seller.sell())
    number = buyer.ask_for_account()
    expect(buyer.page.locator(".account")).to_contain_text("신한은행")
    expect(buyer.page.locator(".account")).to_contain_text("45,000원")
    expect(buyer.page.locator(".account .countdown")).to_contain_text("남음")
    # The account stays open though it should be closed: that is how money comes too late.
    match = {"version": "V1", "method": "DELETE"}
    faults = {"match": match, "fault": "error_500", "times": 9}
    gateway.post("/control/faults", json=faults).raise_for_status()
    run_out(trade)
    buyer.sees("취소된 거래예요")
    gateway.delete("/control/faults").raise_for_status()
    money = {"account_number": number, "amount": 45_000}
    gateway.post("/control/deposit", json=money).raise_for_status()
    buyer.sees("결제가 완료됐어요")


def test_a_buyer_who_calls_it_off_gets_the_deposit_back(
    visit: Visit, gateway: httpx.Client
) -> None:
    seller, buyer = visit().sign_up("보라"), visit().sign_up("준")
    product = seller.sell()
    trade = buyer.buy(product)
    money = {"account_number": buyer.ask_for_account(), "amount": 45_000}
    gateway.post("/control/deposit", json=money).raise_for_status()
    buyer.sees("결제가 완료됐어요")
    buyer.press("결제취소")
    buyer.fill(reason="마음이 바뀌었어요", number="3333-01-1234567", holder="")
    buyer.page.locator("form.form button").click(no_wait_after=True)
    buyer.page.locator("[name=holder]:invalid").wait_for()
    buyer.fill(holder="김준")
    buyer.press("결제취소")
    expect(buyer.page.locator(".wrong")).to_contain_text("하나를 선택해 주세요")
    buyer.page.locator("[name=bank]").select_option("KAKAO")
    buyer.press("결제취소")
    buyer.sees("취소된 거래예요")
    expect(buyer.page.locator("#trade")).to_contain_text("마음이 바뀌었어요")
    assert "3333-01-1234567" not in buyer.page.content()
    seller.go(trade)
    seller.sees("취소된 거래예요")
    buyer.go(product)
    expect(buyer.page.locator(".facts .badge")).to_have_text("판매중")
    buyer.go("/me/notices")
    expect(buyer.page.locator(".notice strong").first).to_contain_text("환불됐어요")


def test_a_phone_pays_in_a_window_that_takes_the_whole_page(visit: Visit) -> None:
    seller, buyer = visit().sign_up("보라"), visit(**PHONE).sign_up("준")
    trade = buyer.buy(seller.sell())
    buyer.choose("CARD")
    buyer.press(r"[\d,]+원 결제하기")
    buyer.page.wait_for_url(re.compile("/checkout/"))
    buyer.page.locator("label:has([value=approved])").click()
    buyer.page.locator("footer .pay").click()
    buyer.page.wait_for_url(re.compile(f"{trade}\\?say=paid"))
    buyer.sees("결제가 완료됐어요")
