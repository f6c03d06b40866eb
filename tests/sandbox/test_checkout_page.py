"""The browser SDKs and the checkout window, driven by a real browser from a shop's own origin."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from .browser import PHONE, Buyer, Shop, chromium
from .client import Client
from .process import Receiver, SandboxProcess

Json = dict[str, Any]
Visit = Callable[..., Buyer]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shop(sandbox: SandboxProcess) -> Iterator[Shop]:
    shop = Shop(sandbox.url)
    yield shop
    shop.close()


@pytest.fixture
def visit(browser: Browser, shop: Shop, client: Client) -> Iterator[Visit]:
    """A new buyer at the shop; nothing may be left in the browser's console."""
    buyers: list[Buyer] = []

    def come(**device: Any) -> Buyer:
        context = browser.new_context(**device)
        context.set_default_timeout(15_000)
        buyers.append(Buyer(context.new_page(), shop, client.keys))
        return buyers[-1]

    yield come
    for buyer in buyers:
        buyer.page.context.close()
        assert buyer.complaints == []


def shown(client: Client, payment_id: str) -> Json:
    """The newest attempt as the gateway knows it."""
    items: list[Json] = client.control("GET", f"payments?payment_id={payment_id}")["items"]
    return items[-1]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


# V1


def test_an_agency_pays_as_its_store_does(client: Client, visit: Visit) -> None:
    buyer = visit()
    params = {"merchant_uid": "order-1", "amount": 12000}
    buyer.page.evaluate(
        "([code, params]) => { IMP.agency(code, 'ABC'); IMP.request_pay(params, show); }",
        [client.keys["v1"]["imp_code"], params],
    )
    buyer.pick("approved")
    assert buyer.result()["success"] is True
    (opened, *_) = client.control("GET", "journal")["items"]
    assert "tiers are not played" in opened["notes"][0]


@pytest.mark.parametrize("call", ["loadUI('paypal-spb', params, show)", "naver_zzim(params, show)"])
def test_what_v1s_sdk_does_not_play_says_so(client: Client, visit: Visit, call: str) -> None:
    buyer = visit()
    name = f"IMP.{call.partition('(')[0]}"
    buyer.page.evaluate(f"(params) => IMP.{call}", {"merchant_uid": "order-1"})
    result = buyer.result()
    assert result["error_msg"] == f"{name} is not played by the sandbox"
    assert (result["merchant_uid"], result["success"]) == ("order-1", False)
    said, buyer.complaints = buyer.complaints, []
    assert said == [f"[PortOne sandbox] {name} is not played by the sandbox"]
    assert name in client.control("GET", "journal")["items"][0]["reason"]


def test_what_v2s_sdk_does_not_play_says_so(client: Client, visit: Visit) -> None:
    buyer = visit()
    said = buyer.page.evaluate("PortOne.loadPaymentUI({}).catch((error) => error.message)")
    assert "PortOne.loadPaymentUI is not played" in said
    assert "PortOne.loadPaymentUI" in client.control("GET", "journal")["items"][0]["reason"]
    buyer.complaints.clear()


def test_a_v1_card_that_is_approved_pays(client: Client, visit: Visit, receiver: Receiver) -> None:
    buyer = visit()
    buyer.ask_v1("order-1", buyer_name="김구매", custom_data={"cart": [1]})
    expect(buyer.window.locator("h1")).to_have_text("키보드")
    expect(buyer.window.locator(".amount strong")).to_have_text("12,000원")
    buyer.pick("approved")
    result = buyer.result()
    assert (result["success"], result["merchant_uid"], result["error_code"]) == (
        True,
        "order-1",
        None,
    )
    assert (result["paid_amount"], result["status"], result["pay_method"]) == (
        12000,
        "paid",
        "card",
    )
    assert not buyer.is_open
    payment = shown(client, "order-1")
    assert (payment["tx_id"], payment["status"], payment["channel"]) == (
        result["imp_uid"],
        "PAID",
        "pc",
    )
    assert (payment["custom_data"], payment["buyer"]["name"]) == ('{"cart":[1]}', "김구매")
    client.settle()
    assert [message.path for message in receiver.received] == ["/v1"]


def test_a_v1_card_that_is_declined_says_why(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v1("order-1")
    buyer.pick("limit")
    result = buyer.result()
    assert (result["success"], result["error_code"]) == (False, "SANDBOX_DECLINED")
    assert result["error_msg"]
    assert shown(client, "order-1")["status"] == "FAILED"


@pytest.mark.parametrize("how", ["button", "escape"])
def test_a_closed_v1_window_leaves_the_attempt_ready(
    client: Client, visit: Visit, how: str
) -> None:
    buyer = visit()
    buyer.ask_v1("order-1")
    if how == "button":
        buyer.window.locator("button.close").click()
    else:
        buyer.window.locator("h1").click()
        buyer.page.keyboard.press("Escape")
    result = buyer.result()
    assert (result["success"], result["error_code"]) == (False, "PAY_PROCESS_CANCELED")
    payment = shown(client, "order-1")
    assert (payment["status"], payment["window_closed"]) == ("READY", True)


def test_a_v1_virtual_account_shows_its_number_amount_and_deadline(
    client: Client, visit: Visit
) -> None:
    buyer = visit()
    buyer.ask_v1("order-1", pay_method="vbank", vbank_due="2099-12-31")
    expect(buyer.window.locator(".due time")).to_have_text("2099-12-31 23:59:59")
    buyer.pick("KOOKMIN")
    number = buyer.window.locator("#account-number").inner_text()
    expect(buyer.window.locator("dl")).to_contain_text("국민은행")
    expect(buyer.window.locator("dl")).to_contain_text("12,000원")
    expect(buyer.window.locator("dl")).to_contain_text("2099-12-31")
    buyer.window.locator("#finish").click()
    result = buyer.result()
    assert (result["success"], result["status"], result["vbank_num"]) == (True, "ready", number)
    assert (result["vbank_name"], result["vbank_code"]) == ("국민은행", "004")
    client.control("POST", "deposit", {"account_number": number, "amount": 12000})
    assert shown(client, "order-1")["status"] == "PAID"


@pytest.mark.parametrize(("choice", "success"), [("approved", "true"), ("stolen", "false")])
def test_a_phone_is_sent_back_to_the_shop(
    client: Client, visit: Visit, choice: str, success: str
) -> None:
    buyer = visit(**PHONE)
    buyer.ask_v1("order-1", m_redirect_url=f"{buyer.shop.url}/done?cart=7")
    buyer.page.locator(f"label:has([value={choice}])").click()
    buyer.page.locator("footer .pay").click()
    buyer.page.wait_for_url("**/done?*")
    query = query_of(buyer.page.url)
    payment = shown(client, "order-1")
    assert query.pop("imp_uid") == payment["tx_id"]
    assert (query.pop("merchant_uid"), query.pop("imp_success")) == ("order-1", success)
    assert query.pop("cart") == "7"
    assert set(query) == (set() if success == "true" else {"error_code", "error_msg"})
    assert payment["channel"] == "mobile"


def test_a_phone_reads_its_account_before_it_goes_back(visit: Visit) -> None:
    buyer = visit(**PHONE)
    url = f"{buyer.shop.url}/done"
    buyer.ask_v1("order-1", pay_method="vbank", m_redirect_url=url)
    buyer.page.locator("footer .pay").click()
    expect(buyer.page.locator("#account-number")).to_have_text(re.compile(r"^\d{14}$"))
    buyer.page.locator("#finish").click()
    buyer.page.wait_for_url("**/done?*")
    assert query_of(buyer.page.url)["imp_success"] == "true"


def test_a_phone_without_a_redirect_url_gets_the_whole_screen(visit: Visit) -> None:
    buyer = visit(**PHONE)
    buyer.ask_v1("order-1")
    box = buyer.page.locator("[data-portone-sandbox=checkout] iframe").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (390, 844)
    buyer.pick("approved")
    assert buyer.result()["success"] is True


def test_a_prepared_amount_that_differs_opens_no_v1_window(client: Client, visit: Visit) -> None:
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 11000})
    buyer = visit()
    buyer.ask_v1("order-1")
    result = buyer.result()
    assert (result["success"], result["imp_uid"]) == (False, None)
    assert result["error_code"] == "AmountNotEqualToPredefined"
    assert not buyer.is_open
    assert client.control("GET", "payments")["items"] == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"amount": 0}, "RequestParseFailed"),
        ({"name": "x" * 201}, "RequestParseFailed"),
        ({"m_redirect_url": "javascript:alert(1)"}, "RequestParseFailed"),
        ({"pay_method": "vbank", "vbank_due": "20200101"}, "RequestParseFailed"),
        ({"channelKey": "channel-key-nobody"}, "ChannelNotFound"),
    ],
)
def test_v1_parameters_are_checked_before_any_window(visit: Visit, more: Json, code: str) -> None:
    buyer = visit()
    buyer.ask_v1("order-1", **more)
    assert buyer.result()["error_code"] == code


def test_an_order_is_paid_once(client: Client, visit: Visit) -> None:
    client.v1_paid("order-1", amount=12000)
    buyer = visit()
    buyer.ask_v1("order-1")
    assert buyer.result()["error_code"] == "PaymentAlreadyPaid"


def test_two_windows_of_one_order_pay_once(client: Client, visit: Visit) -> None:
    first, second = visit(), visit()
    for buyer in (first, second):
        buyer.ask_v1("order-1")
        buyer.window.locator("footer .pay").wait_for()
    first.pick("approved")
    assert first.result()["success"] is True
    second.pick("approved")
    assert (second.result()["success"], second.result()["error_code"]) == (False, "ALREADY_PAID")


def test_a_quiet_card_is_paid_while_the_page_hears_of_leaving(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v1("order-1")
    buyer.pick("quiet")
    buyer.window.locator("#finish").click()
    assert (buyer.result()["success"], buyer.result()["status"]) == (False, "ready")
    assert shown(client, "order-1")["status"] == "PAID"


def test_an_order_name_with_markup_stays_text(visit: Visit) -> None:
    buyer = visit()
    name = '<script>parent.postMessage("x","*")</script><b>"&\'</b>'
    buyer.ask_v1("order-1<i>", name=name, buyer_name="</dd><img src=x onerror=alert(1)>")
    expect(buyer.window.locator("h1")).to_have_text(name)
    buyer.pick("limit")
    buyer.result()


def test_a_forged_message_ends_nothing(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v1("order-1")
    buyer.window.locator("footer .pay").wait_for()
    forged = {
        "from": "portone-sandbox",
        "txId": shown(client, "order-1")["tx_id"],
        "result": {"success": True},
    }
    buyer.page.evaluate("(message) => postMessage(message, '*')", forged)
    buyer.pick("limit")
    assert buyer.result()["success"] is False


def test_english_is_a_click_away(visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v1("order-1")
    buyer.window.get_by_role("link", name="English").click()
    expect(buyer.window.locator("footer .pay")).to_have_text("Pay ₩12,000")
    buyer.pick("approved")
    assert buyer.result()["success"] is True


# V2


def test_a_v2_card_that_is_approved_pays(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v2(
        "pay1",
        customer={"fullName": "김구매", "email": "a@example.com"},
        customData={"cart": 1},
    )
    buyer.pick("approved")
    result = buyer.result()
    payment = shown(client, "pay1")
    assert result == {
        "transactionType": "PAYMENT",
        "txId": payment["tx_id"],
        "paymentId": "pay1",
    }
    assert (payment["status"], payment["currency"], payment["custom_data"]) == (
        "PAID",
        "KRW",
        '{"cart":1}',
    )


def test_a_v2_card_that_is_declined_says_why(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v2("pay1")
    buyer.pick("limit")
    result = buyer.result()
    assert (result["code"], result["pgCode"], result["pgMessage"]) == (
        "PGProviderError",
        "SANDBOX_DECLINED",
        "한도초과",
    )
    assert shown(client, "pay1")["status"] == "FAILED"


def test_a_closed_v2_window_resolves_with_a_code(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v2("pay1")
    buyer.window.locator("button.close").click()
    assert buyer.result()["pgCode"] == "PAY_PROCESS_CANCELED"
    assert shown(client, "pay1")["status"] == "READY"


def test_a_v2_virtual_account_follows_bank_and_expiry(client: Client, visit: Visit) -> None:
    buyer = visit()
    account = {"bankCode": "BANK_HANA_BANK", "accountExpiry": {"validHours": 3}}
    buyer.ask_v2("pay1", payMethod="VIRTUAL_ACCOUNT", virtualAccount=account)
    expect(buyer.window.locator(".bank:has(:checked)")).to_have_text("하나은행")
    buyer.window.locator("footer .pay").click()
    buyer.window.locator("#finish").click()
    assert "code" not in buyer.result()
    payment = shown(client, "pay1")
    assert (payment["status"], payment["account"]["bank"]) == ("VIRTUAL_ACCOUNT_ISSUED", "HANA")
    assert payment["account"]["due_at"] == payment["account_due_at"]


def test_a_v2_phone_is_sent_back_with_camel_case_names(client: Client, visit: Visit) -> None:
    buyer = visit(**PHONE)
    buyer.ask_v2("pay1", redirectUrl=f"{buyer.shop.url}/done", locale="EN_US")
    expect(buyer.page.locator("footer .pay")).to_have_text("Pay ₩12,000")
    buyer.page.locator("label:has([value=limit])").click()
    buyer.page.locator("footer .pay").click()
    buyer.page.wait_for_url("**/done?*")
    query = query_of(buyer.page.url)
    assert (query["paymentId"], query["transactionType"]) == ("pay1", "PAYMENT")
    assert query["txId"] == shown(client, "pay1")["tx_id"]
    assert (query["code"], query["pgCode"]) == ("PGProviderError", "SANDBOX_DECLINED")
    assert query["message"]
    assert query["pgMessage"] == "한도초과"


def test_force_redirect_leaves_the_page_after_the_frame(visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v2("pay1", redirectUrl=f"{buyer.shop.url}/done", forceRedirect=True)
    buyer.pick("approved")
    buyer.page.wait_for_url("**/done?*")
    assert query_of(buyer.page.url)["paymentId"] == "pay1"


def test_a_popup_tells_its_result_and_goes(client: Client, visit: Visit) -> None:
    buyer = visit()
    with buyer.page.expect_popup() as opened:
        buyer.ask_v2("pay1", windowType={"pc": "POPUP"})
    opened.value.locator("footer .pay").click()
    assert "code" not in buyer.result()
    assert shown(client, "pay1")["status"] == "PAID"
    if not opened.value.is_closed():
        opened.value.wait_for_event("close")


def test_a_popup_that_is_shut_is_a_window_left(client: Client, visit: Visit) -> None:
    buyer = visit()
    with buyer.page.expect_popup() as opened:
        buyer.ask_v2("pay1", windowType={"pc": "POPUP"})
    opened.value.locator("footer .pay").wait_for()
    opened.value.close()
    assert buyer.result()["pgCode"] == "PAY_PROCESS_CANCELED"
    assert shown(client, "pay1")["window_closed"] is True


def test_manual_approval_gives_a_token_and_charges_nothing(client: Client, visit: Visit) -> None:
    buyer = visit()
    buyer.ask_v2("pay1", channelKey="channel-key-sandbox-v2-manual")
    buyer.pick("approved")
    result, payment = buyer.result(), shown(client, "pay1")
    assert result["paymentToken"] == payment["payment_token"]
    assert payment["status"] == "READY"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"totalAmount": "12000"}, "RequestParseFailed"),
        ({"orderName": None}, "RequestParseFailed"),
        ({"channelKey": None}, "RequestParseFailed"),
        ({"payMethod": "SHELLS"}, "RequestParseFailed"),
        ({"forceRedirect": True}, "RequestParseFailed"),
        ({"windowType": {"pc": "REDIRECTION"}}, "RequestParseFailed"),
        ({"virtualAccount": {"bankCode": "BANK_NOBODY"}}, "RequestParseFailed"),
        ({"storeId": "store-nobody"}, "StoreNotFound"),
        ({"channelKey": "channel-key-nobody"}, "ChannelNotFound"),
    ],
)
def test_v2_parameters_are_checked_before_any_window(visit: Visit, more: Json, code: str) -> None:
    buyer = visit()
    buyer.ask_v2("pay1", **more)
    result = buyer.result()
    assert (result["code"], result["paymentId"]) == (code, "pay1")
    assert not buyer.is_open
