"""Forms as a browser sends them, from a page that may have been loaded a while ago."""

from html.parser import HTMLParser
from typing import Any

import httpx

from .conftest import Guest


class Fields(HTMLParser):
    """The fields of the form on a page that goes to `action`, as a browser would send them."""

    def __init__(self, page: str, action: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._action, self._within, self._typing = action, False, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._within = given.get("action") == self._action
        elif self._within and tag == "input" and given.get("type") != "file":
            if given.get("type") != "checkbox" or "checked" in given:
                self.values[given["name"]] = given.get("value", "on")
        elif self._within and tag == "textarea":
            self._typing = given["name"]
            self.values[self._typing] = ""

    def handle_data(self, data: str) -> None:
        if self._typing:
            self.values[self._typing] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._typing = ""
        elif tag == "form":
            self._within = False


async def sent(
    guest: Guest, path: str, fields: dict[str, str], files: Any = None
) -> httpx.Response:
    """A form as it stands, from a page that was loaded before."""
    files = files or [("photos", ("", b"", "application/octet-stream"))]
    headers = guest._headers({"referer": f"{guest.http.base_url}{path}"})
    answer = await guest.http.post(path, data=fields, files=files, headers=headers)
    return guest._kept(answer)
