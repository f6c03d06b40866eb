"""A real browser, and a shop on a port of its own whose page loads the sandbox's SDKs."""

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

Json = dict[str, Any]
PHONE: Json = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 Mobile",
    "has_touch": True,
    "is_mobile": True,
}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_FLAGS += ["--disable-component-update", "--disable-sync", "--no-first-run"]
_NAMES = ("chromium", "chromium-browser", "google-chrome")

_PAGE = """<!doctype html>
<html lang="ko"><head><meta charset="utf-8"><title>A shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script src="{sandbox}/sdk/v1.js"></script><script src="{sandbox}/sdk/v2.js"></script>
<script src="/shop.js"></script></head>
<body><h1>A shop</h1><button id="v1">V1</button><button id="v2">V2</button>
<ol id="results"></ol></body></html>"""
_SCRIPT = """
window.asked = {};
const show = (result) => {
  const line = document.createElement("li");
  line.textContent = JSON.stringify(result);
  document.getElementById("results").append(line);
};
addEventListener("DOMContentLoaded", () => {
  document.getElementById("v1").addEventListener("click", () => {
    IMP.init(asked.code);
    IMP.request_pay(asked.params, show);
  });
  document.getElementById("v2").addEventListener("click", async () => {
    show(await PortOne.requestPayment(asked.params));
  });
});
"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; the tests that need it are skipped where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no chromium on this machine: install it to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Shop:
    """A merchant's site: any path shows the page, under a policy as strict as it can be."""

    def __init__(self, sandbox: str) -> None:
        policy = (
            f"default-src 'none'; script-src 'self' {sandbox};"
            f" connect-src {sandbox}; frame-src {sandbox}"
        )
        files = {"/shop.js": ("text/javascript", _SCRIPT)}
        page = ("text/html", _PAGE.format(sandbox=sandbox))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, text = files.get(self.path, page)
                body = b"" if self.path == "/favicon.ico" else text.encode()
                self.send_response(200)
                self.send_header("content-type", f"{kind}; charset=utf-8")
                self.send_header("content-security-policy", policy)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test looks at the browser."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Buyer:
    """One person at the shop, with a browser tab."""

    def __init__(self, page: Page, shop: Shop, keys: Json) -> None:
        self.page = page
        self.shop = shop
        self.keys = keys
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{shop.url}/cart")

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    @property
    def window(self) -> FrameLocator:
        """The checkout window in its frame."""
        return self.page.frame_locator("[data-portone-sandbox=checkout] iframe")

    @property
    def is_open(self) -> bool:
        """Whether the shop's page is covered."""
        return self.page.locator("[data-portone-sandbox=checkout]").count() > 0

    def ask_v1(self, merchant_uid: str, **more: object) -> None:
        """Press the V1 button."""
        params = {"merchant_uid": merchant_uid, "amount": 12000, "name": "키보드", **more}
        self._ask("v1", params, self.keys["v1"]["imp_code"])

    def ask_v2(self, payment_id: str, **more: object) -> None:
        """Press the V2 button."""
        keys = self.keys["v2"]
        params = {
            "storeId": keys["store_id"],
            "channelKey": keys["channel_key"],
            "paymentId": payment_id,
            "orderName": "키보드",
            "totalAmount": 12000,
            "currency": "CURRENCY_KRW",
            "payMethod": "CARD",
            **more,
        }
        self._ask("v2", params, "")

    def _ask(self, version: str, params: Json, code: str) -> None:
        self.page.evaluate("(asked) => { window.asked = asked }", {"params": params, "code": code})
        self.page.click(f"#{version}")

    def pick(self, choice: str) -> None:
        """Choose in the frame, and confirm."""
        self.window.locator(f"label:has([value={choice}])").click()
        self.window.locator("footer .pay").click()

    def result(self) -> Json:
        """What the page was given in the end."""
        lines = self.page.locator("#results li")
        lines.first.wait_for()
        assert lines.count() == 1
        result: Json = json.loads(lines.first.inner_text())
        return result
