"""The page at /: what it shows, which buttons work, and who may press them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

import portone_sandbox

from .browser import PHONE, chromium
from .client import Client
from .process import Receiver

Json = dict[str, Any]
README = Path(portone_sandbox.__file__).with_name("README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab without JavaScript: every button must work there."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def press(client: Client, button: str, **form: object) -> httpx.Response:
    """What this page's own form sends."""
    headers = {"Origin": str(client.http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    fields = {name: str(value) for name, value in form.items()}
    return client.http.post(f"/dashboard/{button}", data=fields, headers=headers)


def newest(client: Client) -> Json:
    payment: Json = client.control("GET", "payments")["items"][-1]
    return payment


def test_a_person_deposits_and_cancels_without_javascript(
    client: Client, receiver: Receiver, page: Page
) -> None:
    account = client.v1_account("order-1", amount=12000)
    page.goto(str(client.http.base_url))
    row = page.locator(f"#p-{account['imp_uid']}")
    expect(row).to_contain_text("VIRTUAL_ACCOUNT_ISSUED")
    expect(row).to_contain_text(account["vbank_num"])
    row.get_by_role("button", name="입금").click()
    expect(page.get_by_role("status")).to_have_text("입금했습니다.")
    expect(row).to_contain_text("PAID")
    row.get_by_label("금액").last.fill("2000")
    row.get_by_role("button", name="콘솔 취소").click()
    expect(row).to_contain_text("PARTIAL_CANCELLED")
    expect(row).to_contain_text("취소됨 2,000원")
    row.get_by_role("button", name="콘솔 취소").click()
    expect(row.locator(".badge")).to_have_text("CANCELLED")
    client.settle()
    page.reload()
    sends = page.locator("section[aria-labelledby=webhooks] tbody tr")
    expect(sends).to_have_count(4)
    expect(sends.first).to_contain_text("delivered")
    expect(sends.first.locator("pre").first).to_contain_text('"status":"cancelled"')
    assert len(receiver.received) == 4


def test_a_person_moves_the_clock_and_clears_faults(client: Client, page: Page) -> None:
    client.fault("error_500", times=None, version="V1", path="/payments/cancel")
    page.goto(str(client.http.base_url))
    expect(page.locator(".faults")).to_contain_text("error_500")
    expect(page.locator(".faults")).to_contain_text("/payments/cancel")
    page.get_by_role("button", name="모두 삭제").click()
    expect(page.locator(".faults")).to_have_count(0)
    page.get_by_role("button", name="+1일").click()
    page.get_by_role("button", name="+10분").click()
    assert client.control("GET", "clock")["offset_seconds"] == 87000
    page.get_by_role("button", name="시계 멈추기").click()
    expect(page.locator(".clock")).to_contain_text("시계가 멈춰 있어요")
    page.get_by_role("button", name="다시 가게 하기").click()
    assert client.control("GET", "clock")["frozen"] is False
    page.get_by_role("button", name="시계 멈추기").click()
    page.get_by_role("button", name="실제 시각으로").click()
    assert abs(client.control("GET", "clock")["offset_seconds"]) < 1
    assert client.control("GET", "clock")["frozen"] is False


def test_english_is_a_click_away_and_stays(client: Client, page: Page) -> None:
    page.goto(str(client.http.base_url))
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("PortOne sandbox")
    page.get_by_role("button", name="+1 hour").click()
    expect(page.get_by_role("status")).to_have_text("The clock was moved.")


def test_a_phone_needs_no_sideways_scrolling(client: Client, browser: Browser) -> None:
    client.v1_account("order-with-quite-a-long-name-of-its-own", amount=12000)
    client.v1_paid("order-2")
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(str(client.http.base_url))
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width == 390


def test_v2_payments_are_shown_beside_v1(client: Client) -> None:
    client.v1_paid("order-1")
    client.v2_paid("order-2")
    html = client.http.get("/").text
    assert html.index("order-2") < html.index("order-1")
    assert client.keys["v2"]["store_id"] in html


def test_a_cancel_under_way_is_ended_by_a_button(client: Client) -> None:
    client.set(v2_cancel_mode="async")
    client.v2_paid("order-1")
    client.v2_ok("POST", "/payments/order-1/cancel", {"reason": "변심"})
    running = newest(client)["cancellations"][0]
    assert "처리 중인 취소" in client.http.get("/").text
    form = {"tx_id": newest(client)["tx_id"], "cancellation_id": running["id"]}
    press(client, "cancellation", **form, outcome="succeeded")
    assert newest(client)["status"] == "CANCELLED"


def test_a_refund_into_an_account_is_ended_by_a_button(client: Client) -> None:
    account = client.v1_account("order-1")
    deposit = {"account_number": account["vbank_num"], "amount": 1000}
    client.control("POST", "deposit", deposit)
    client.control("POST", "cancel", {"payment_id": "order-1"})
    assert "계좌 환불: PENDING" in client.http.get("/").text
    press(client, "refund", tx_id=account["imp_uid"], outcome="failed")
    assert "계좌 환불: FAILED" in client.http.get("/").text
    press(client, "refund", tx_id=account["imp_uid"], outcome="completed")
    assert newest(client)["account_refund_status"] == "COMPLETED"


def test_what_people_wrote_stays_text(client: Client) -> None:
    evil = '<script>alert(1)</script>"&'
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order<i>", "amount": 1000})
    client.pay("order<i>", name=evil)
    html = client.http.get("/", params={"done": evil, "refused": evil}).text
    assert "<script" not in html
    assert "order<i>" not in html
    assert "&lt;script&gt;" in html


def test_the_page_runs_no_script_and_sits_in_no_frame(client: Client) -> None:
    answer = client.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|\son\w+=|style=", answer.text)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.test"},
    ],
)
@pytest.mark.parametrize("button", ["clock", "cancel", "deposit", "cancellation", "faults/clear"])
def test_no_other_page_may_press_a_button(
    client: Client, button: str, headers: dict[str, str]
) -> None:
    imp_uid = client.v1_paid("order-1")
    form = {"tx_id": imp_uid, "amount": "1", "seconds": "60"}
    answer = client.http.post(f"/dashboard/{button}", data=form, headers=headers)
    assert answer.status_code == 403
    assert newest(client)["status"] == "PAID"
    assert client.control("GET", "clock")["offset_seconds"] == 0


@pytest.mark.parametrize(
    ("button", "form", "refusal"),
    [
        ("deposit", {"tx_id": "no", "amount": 1}, "PAYMENT_NOT_FOUND"),
        ("deposit", {"amount": 1}, "INVALID_REQUEST"),
        ("cancel", {"tx_id": "PAID", "amount": "1.5"}, "INVALID_REQUEST"),
        ("cancel", {"tx_id": "PAID", "amount": 1001}, "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"),
        ("deposit", {"tx_id": "PAID", "amount": 1}, "INVALID_REQUEST"),
        ("clock", {"seconds": "soon"}, "INVALID_REQUEST"),
        ("clock", {"seconds": "999999999999999"}, "INVALID_REQUEST"),
    ],
)
def test_a_refusal_is_said_on_the_page(
    client: Client, button: str, form: Json, refusal: str
) -> None:
    imp_uid = client.v1_paid("order-1")
    if form.get("tx_id") == "PAID":
        form = {**form, "tx_id": imp_uid}
    answer = press(client, button, **form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?lang=ko&refused={refusal}")
    assert "처리하지 못했습니다" in client.http.get(answer.headers["location"]).text


def test_a_wrong_deposit_is_turned_back_by_the_bank(client: Client) -> None:
    account = client.v1_account("order-1", amount=12000)
    answer = press(client, "deposit", tx_id=account["imp_uid"], amount=1, lang="en")
    assert answer.headers["location"] == "/?lang=en&refused=BANK_REFUSED"
    assert "the bank rejected the deposit" in client.http.get(answer.headers["location"]).text


def test_older_payments_are_on_further_pages(client: Client) -> None:
    for number in range(31):
        client.v1_paid(f"order-{number:02}")
    first, second = client.http.get("/").text, client.http.get("/?page=2").text
    assert ("order-30" in first, "order-00" in first) == (True, False)
    assert ("order-30" in second, "order-00" in second) == (False, True)
    assert "page=2" in first


def test_a_changed_switch_stands_out(client: Client) -> None:
    client.set(v1_partial_cancel_status="cancelled")
    html = client.http.get("/").text
    assert html.count('class="changed"') == 1


def test_a_clock_that_was_moved_says_so(client: Client) -> None:
    client.advance(hours=1)
    assert "+3,600" in client.http.get("/").text


def test_v2_calls_are_known_at_the_root_by_their_secret(client: Client) -> None:
    client.v2_paid("order-1")
    secret = {"Authorization": f"PortOne {client.keys['v2']['api_secret']}"}
    answer = client.http.get("/payments/order-1", headers=secret)
    assert (answer.status_code, answer.json()["status"]) == (200, "PAID")
    assert client.http.get("/payments/order-1").status_code == 404


def test_the_readme_names_every_setting_and_the_keys(client: Client) -> None:
    for name in client.control("GET", "settings"):
        assert f"`{name}`" in README
    for version in ("v1", "v2"):
        for name, value in client.keys[version].items():
            if name not in ("merchant_id", "second_webhook_secret"):
                assert str(value) in README


def test_the_readmes_commands_do_what_it_says(client: Client) -> None:
    if not (shutil.which("curl") and shutil.which("jq") and shutil.which("sh")):
        pytest.skip("the README's commands need curl and jq")
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    script = "\n".join(blocks).replace("http://127.0.0.1:8100", str(client.http.base_url))
    ran = subprocess.run(
        ["/bin/sh", "-eu"],
        input=script,
        env={**os.environ, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    told = [
        '"status": "paid"',
        '"left": 10000',
        '"code": 1',
        '"status": "PAID"',
        '"SUCCEEDED"',
        '"the amount is not what the account waits for"',
        "no response",
        "3000",
        "401",
        "2030-01-01",
        "inicis",
        "buyer_name",
    ]
    rest = ran.stdout
    for text in told:
        before, found, rest = rest.partition(text)
        assert found, f"{text} is not in {before}"
