"""The checkout window as HTTP: without a browser, and for those who are not invited."""

import re
from typing import Any

import httpx
import pytest

from portone_sandbox.core.assets import SDKS, STATIC

from .client import Client

Json = dict[str, Any]


def newest(client: Client) -> Json:
    """The newest attempt as the gateway knows it."""
    items: list[Json] = client.control("GET", "payments")["items"]
    return items[-1]


def open_window(client: Client, **params: object) -> Json:
    body = {
        "code": client.keys["v1"]["imp_code"],
        "params": {"merchant_uid": "order-1", "amount": 12000, **params},
        "phone": "m_redirect_url" in params,
    }
    answer = client.http.post("/checkout/v1", json=body, headers={"Origin": "http://shop.test"})
    assert answer.headers["access-control-allow-origin"] == "*"
    opened: Json = answer.json()
    return opened


def test_the_window_allows_no_inline_script_and_no_stranger_around_it(client: Client) -> None:
    opened = open_window(client)
    answer = client.http.get(f"/{opened['window']}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors http://shop.test" in policy
    assert "form-action 'self';" in policy
    assert "unsafe" not in policy
    for tag in re.findall(r"<script[^>]*>", answer.text):
        assert 'src="/static/' in tag
    assert not re.search(r"\son\w+=|style=", answer.text)


TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.mark.parametrize(
    "path", [*(f"sdk/{name}" for name in SDKS), *(f"static/{name}" for name in STATIC)]
)
def test_every_asset_says_what_it_is(client: Client, path: str) -> None:
    answer = client.http.get(f"/{path}")
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind == TYPES[path.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_window_works_without_javascript(client: Client) -> None:
    opened = open_window(client, m_redirect_url="https://shop.test/done?cart=7#top")
    form = {"token": opened["token"], "action": "pay", "choice": "approved"}
    answer = client.http.post(f"/{opened['window']}/act", data=form)
    assert answer.status_code == 303
    place = httpx.URL(answer.headers["location"])
    assert (place.host, place.fragment) == ("shop.test", "top")
    assert place.params["imp_uid"] == opened["txId"]


@pytest.mark.parametrize("path", ["act", "leave"])
def test_without_the_windows_token_nothing_moves(client: Client, path: str) -> None:
    opened = open_window(client)
    answer = client.http.post(f"/{opened['window']}/{path}", data={"token": "guess"})
    assert answer.status_code == 403
    assert newest(client)["status"] == "READY"


@pytest.mark.parametrize("body", ["", "[]", "{", '{"params": 3}', '{"code": "imp00000000"}'])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_strange_call_is_refused_in_the_sdks_words(
    client: Client, version: str, body: str
) -> None:
    answer = client.http.post(f"/checkout/{version}", content=body)
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result.get("error_code", result.get("code")) in ("RequestParseFailed", "StoreNotFound")


def test_a_foreign_card_amount_is_shown_in_its_own_currency(client: Client) -> None:
    opened = open_window(client, currency="USD", amount=12.5)
    assert "USD 12.50" in client.http.get(f"/{opened['window']}").text
    assert newest(client)["amount"] == 1250


@pytest.mark.parametrize("path", ["checkout/imp_000000000000", "sdk/v3.js", "static/app.py"])
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.http.get(f"/{path}").status_code == 404
