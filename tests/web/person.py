"""Somebody in front of a browser, and what they do in the shop."""

import io
import re
from collections import Counter
from itertools import count
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FrameLocator, Page, expect

_numbers = count(1)
_named: Counter[tuple[str, str]] = Counter()
PATIENCE_MS = 30_000
PASSWORD = "a password of the tests"
CHAIR = {"name": "원목 의자", "price": "45000", "quantity": "1", "description": "두 번 앉았어요."}


class Person:
    """One browser context: nobody shares cookies with anybody."""

    def __init__(self, browser: Browser, url: str, **device: Any) -> None:
        self.url, self.email = url, ""
        device.setdefault("locale", "ko-KR")
        context = browser.new_context(base_url=url, **device)
        context.set_default_timeout(PATIENCE_MS)
        context.set_default_navigation_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        refused = re.search(r"status of (4|5)\d\d", message.text)
        if message.type in {"error", "warning"} and not refused:
            self.complaints.append(message.text)

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    @property
    def path(self) -> str:
        """Where they are, without what the page only says once."""
        return re.sub(r"^https?://[^/]+|\?.*$", "", self.page.url)

    def go(self, path: str) -> None:
        self.page.goto(path, wait_until="domcontentloaded")

    def press(self, words: str) -> None:
        """A button or a link of the page."""
        button = self.page.locator("main button, main a.button, main .aside a")
        button.filter(has_text=re.compile(f"^\\s*{words}\\s*$")).first.click()

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.locator(f"main [name={name}]").fill(value)

    def sign_up(self, nickname: str, next: str = "/") -> "Person":
        self.go(f"/signup?next={next}")
        email = self.email = f"shopper{next_number()}@example.com"
        _named[self.url, nickname] += 1
        again = _named[self.url, nickname]
        nickname += str(again) if again > 1 else ""  # one member's alone
        self.fill(email=email, nickname=nickname, password=PASSWORD)
        self.press("가입하기")
        expect(self.page.locator(".nav-me")).to_have_text(nickname)
        return self

    def sign_in_again(self) -> None:
        """On the sign-in page that the market asks for."""
        self.page.wait_for_url(re.compile("/signin"))
        self.fill(email=self.email, password=PASSWORD)
        self.press("로그인")
        expect(self.page.locator(".nav-me")).to_be_visible()

    def sign_out_in_another_tab(self) -> None:
        other = self.page.context.new_page()
        other.goto("/me", wait_until="domcontentloaded")
        other.get_by_role("button", name="로그아웃").click()
        expect(other.locator(".nav-me")).to_have_count(0)
        other.close()

    def sell(self, photo: bytes | None = None, **fields: str) -> str:
        """Lists something; the path of its page."""
        self.go("/sell")
        self.fill(**{**CHAIR, **fields})
        if photo:
            files: Any = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
            self.page.locator("[name=photos]").set_input_files(files)
        self.press("등록하기")
        self.page.wait_for_url(re.compile("/products/"))
        return self.path

    def buy(self, product: str) -> str:
        """Presses the buy button; the path of the trade."""
        self.go(product)
        self.press("구매하기")
        self.page.wait_for_url(re.compile("/checkout$"))
        return self.path.removesuffix("/checkout")

    def choose(self, method: str) -> None:
        self.page.locator(f"label:has([value={method}])").click()

    @property
    def window(self) -> FrameLocator:
        """The gateway's checkout window."""
        return self.page.frame_locator("[data-portone-sandbox=checkout] iframe")

    def pay_by_card(self, card: str = "approved") -> None:
        self.choose("CARD")
        self.press(r"[\d,]+원 결제하기")
        self.window.locator(f"label:has([value={card}])").click()
        self.window.locator("footer .pay").click()

    def ask_for_account(self) -> str:
        """Chooses a virtual account; its number."""
        self.choose("VIRTUAL_ACCOUNT")
        self.page.locator("[name=bank]").select_option("SHINHAN")
        self.press(r"[\d,]+원 결제하기")
        return self.page.locator(".account .number").inner_text()

    def sees(self, heading: str) -> None:
        """The trade's page says so, now or as soon as it has heard."""
        expect(self.page.locator("#trade .next h2:visible")).to_have_text(heading)

    def leave(self) -> None:
        self.page.context.close()


def next_number() -> int:
    return next(_numbers)


def picture(width: int = 800, height: int = 600, kind: str = "JPEG", **more: Any) -> bytes:
    """A photo of a chair, drawn."""
    image = Image.new("RGB", (width, height), "#e9dfcf")
    draw = ImageDraw.Draw(image)
    w, h = width, height
    wood = "#8a5a33"
    draw.rectangle((0, h * 0.78, w, h), fill="#d8c9b1")
    draw.rounded_rectangle((w * 0.34, h * 0.16, w * 0.66, h * 0.46), w // 40, fill=wood)
    draw.rounded_rectangle((w * 0.38, h * 0.21, w * 0.62, h * 0.40), w // 60, fill="#e9dfcf")
    draw.rounded_rectangle((w * 0.30, h * 0.50, w * 0.70, h * 0.57), w // 60, fill="#a06c40")
    for x in (0.33, 0.64):
        draw.rectangle((w * x, h * 0.56, w * (x + 0.03), h * 0.86), fill=wood)
    for x in (0.35, 0.62):
        draw.rectangle((w * x, h * 0.42, w * (x + 0.03), h * 0.52), fill=wood)
    kept = io.BytesIO()
    image.save(kept, kind, **more)
    return kept.getvalue()
