"""Stores: sandboxes side by side in one process, each with a world of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store
from portone_sandbox.core.stores import STORES_MAX, Stores

from .client import Client
from .process import Receiver

STORE = "X-Sandbox-Store"


@pytest.fixture
def other(client: Client) -> Iterator[Client]:
    """A second store of the same process, chosen by header."""
    yield from _opened(client, "other")


def _opened(client: Client, name: str) -> Iterator[Client]:
    store = Client(str(client.http.base_url), headers={STORE: name})
    yield store
    client.control("DELETE", f"stores/{name}", status=204)
    store.close()


def _ids(client: Client) -> list[str]:
    return [item["order_id"] for item in client.control("GET", "payments")["items"]]


def test_payments_of_one_store_are_in_no_other(client: Client, other: Client) -> None:
    client.v2_paid("order-1", 1000)
    other.v2_paid("order-1", 2000)
    other.v1_paid("order-2")
    assert (_ids(client), _ids(other)) == (["order-1"], ["order-1", "order-2"])
    for store, amount in ((client, 1000), (other, 2000)):
        assert store.v2_ok("GET", "/payments/order-1")["amount"]["total"] == amount


def test_a_store_has_its_own_clock_settings_keys_and_faults(client: Client, other: Client) -> None:
    other.advance(hours=3)
    other.set(v2_max_cancels=1)
    other.control("PUT", "credentials", {"v2": {"api_secret": "its-own-secret"}})
    other.fault("error_500", times=None, version="V2")
    assert client.control("GET", "clock")["offset_seconds"] == 0
    assert client.control("GET", "settings")["v2_max_cancels"] == 100
    assert client.control("GET", "credentials") == client.keys
    assert client.control("GET", "faults")["items"] == []
    assert other.v2("GET", "/payments/x").status_code == 500
    assert client.v2("GET", "/payments/x").status_code == 404
    other.control("DELETE", "faults", status=204)
    assert other.v2("GET", "/payments/x").status_code == 401


def test_a_token_of_one_store_opens_no_other(client: Client, other: Client) -> None:
    headers = {"Authorization": client.token, STORE: "other"}
    assert client.http.get("/v1/payments/imp_1", headers=headers).status_code == 401


def test_a_journal_is_of_its_store(client: Client, other: Client) -> None:
    other.v2("GET", "/payments/nowhere")
    assert client.control("GET", "journal")["items"] == []
    (entry,) = other.control("GET", "journal")["items"]
    assert "PAYMENT_NOT_FOUND" in entry["reason"]


def test_a_reset_is_of_its_store(client: Client, other: Client) -> None:
    client.v2_paid("order-1")
    other.v2_paid("order-1")
    other.control("POST", "reset", {}, status=204)
    assert (_ids(client), _ids(other)) == (["order-1"], [])


def test_a_path_leads_into_a_store_as_the_header_does(client: Client, other: Client) -> None:
    other.v2_paid("order-1")
    secret = {"Authorization": f"PortOne {other.keys['v2']['api_secret']}"}
    for path in ("/v2/payments/order-1", "/payments/order-1"):
        answer = client.http.get(f"/stores/other{path}", headers=secret)
        assert (answer.status_code, answer.json()["status"]) == (200, "PAID")
    assert client.http.get("/v2/payments/order-1", headers=secret).status_code == 404
    assert client.http.get("/stores/other/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "name", ["tests/x.py::test_y[1]", "tests::test_y[1]", "a b", ".", "..", "가게", "n" * 201, ""]
)
def test_what_is_no_name_opens_no_store(client: Client, name: str) -> None:
    header = {STORE.encode(): name.encode()}
    answer = client.http.get("/health", headers=header)
    fits = name == "tests::test_y[1]"
    assert answer.status_code == (200 if fits else 400), answer.text
    assert client.control("GET", "stores")["items"] == ([name] if fits else [])
    client.control("DELETE", "stores/tests::test_y[1]", status=204)


def test_two_names_at_once_are_refused(client: Client) -> None:
    assert client.http.get("/stores/a/health", headers={STORE: "a"}).status_code == 200
    answer = client.http.get("/stores/a/health", headers={STORE: "b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    client.control("DELETE", "stores/a", status=204)


def test_an_idempotency_key_is_of_its_store(client: Client, other: Client) -> None:
    key = {"Idempotency-Key": '"one-key-in-two-stores"'}
    for store, amount in ((client, 1000), (other, 2000)):
        store.v2_paid("order-1", amount)
        answer = store.v2_ok("POST", "/payments/order-1/cancel", {"reason": "r"}, headers=key)
        assert answer["cancellation"]["totalAmount"] == amount


def test_webhooks_say_from_which_store_they_come(
    client: Client, other: Client, receiver: Receiver
) -> None:
    other.set(webhook_url_v2=f"{receiver.url}/other")
    other.v2_paid("order-1")
    client.v2_paid("order-2")
    assert {sent["order_id"] for sent in other.sends()} == {"order-1"}
    client.settle()
    stores = {one.path: one.headers.get(STORE.lower()) for one in receiver.received}
    assert stores == {"/other": "other", "/v2": None}


def test_a_window_of_a_store_stays_in_it(client: Client, other: Client) -> None:
    params = {
        "storeId": other.keys["v2"]["store_id"],
        "channelKey": other.keys["v2"]["channel_key"],
        "paymentId": "order-1",
        "orderName": "keyboard",
        "totalAmount": 1000,
        "currency": "KRW",
        "payMethod": "CARD",
    }
    opened = client.http.post("/stores/other/checkout/v2", json={"params": params}).json()
    page = client.http.get(f"/stores/other/{opened['window']}").text
    assert f'action="/stores/other/{opened["window"]}/act"' in page
    assert 'href="/stores/other/static/checkout.css"' in page
    assert client.http.get(f"/{opened['window']}").status_code == 404
    acted = client.http.post(
        f"/stores/other/{opened['window']}/act",
        data={"token": opened["token"], "choice": "approved", "action": "pay"},
    )
    assert acted.headers["location"] == f"/stores/other/{opened['window']}"
    assert other.v2_ok("GET", "/payments/order-1")["status"] == "PAID"


def test_a_receipt_of_a_store_is_found_by_its_path(client: Client, other: Client) -> None:
    other.v2_paid("order-1")
    secret = {"Authorization": f"PortOne {other.keys['v2']['api_secret']}"}
    shown = client.http.get("/stores/other/v2/payments/order-1", headers=secret).json()
    assert urlsplit(shown["receiptUrl"]).path.startswith("/stores/other/checkout/")
    assert client.http.get(shown["receiptUrl"]).status_code == 200


def test_the_page_of_a_store_is_its_own(client: Client, other: Client) -> None:
    other.v2_paid("order-1")
    page = client.http.get("/stores/other/").text
    assert "order-1" in page
    assert 'action="/stores/other/dashboard/clock"' in page
    assert "order-1" not in client.http.get("/").text
    assert 'href="/stores/other/?lang=ko"' in client.http.get("/").text
    origin = {"Origin": str(client.http.base_url)}
    moved = client.http.post(
        "/stores/other/dashboard/clock", data={"seconds": "600"}, headers=origin
    )
    assert moved.headers["location"].startswith("/stores/other/?")
    assert other.control("GET", "clock")["offset_seconds"] == 600


def test_a_dropped_store_is_empty_when_it_is_named_again(client: Client, other: Client) -> None:
    other.v2_paid("order-1")
    assert client.control("GET", "stores")["items"] == ["other"]
    client.control("DELETE", "stores/other", status=204)
    assert client.control("GET", "stores")["items"] == []
    assert _ids(other) == []


def test_all_stores_go_at_once(client: Client) -> None:
    for name in ("a", "b"):
        client.http.get("/health", headers={STORE: name})
    client.v2_paid("order-1")
    client.control("DELETE", "stores", status=204)
    assert client.control("GET", "stores")["items"] == []
    assert _ids(client) == ["order-1"]


def test_of_too_many_stores_the_longest_unused_goes() -> None:
    stores = Stores(SandboxState(Store(":memory:")))
    dropped: list[str] = []
    stores.on_drop = lambda sandbox: dropped.append(sandbox.name)
    for number in range(STORES_MAX):
        stores.get(f"n{number}")
    stores.get("n0")
    assert dropped == []
    stores.get("one-more")
    assert dropped == ["n1"]
    assert len(stores.names()) == STORES_MAX


def test_stores_are_used_side_by_side(client: Client) -> None:
    def trade(number: int) -> list[str]:
        store = Client(str(client.http.base_url), headers={STORE: f"side-{number}"})
        for order in range(5):
            store.v2_paid(f"order-{order}", 1000 + number)
            shown = store.v2_ok("GET", f"/payments/order-{order}")
            assert shown["amount"]["total"] == 1000 + number
        found = _ids(store)
        store.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(trade, range(8)))
    assert every == [[f"order-{order}" for order in range(5)]] * 8
    for number in range(8):
        client.control("DELETE", f"stores/side-{number}", status=204)


def test_a_held_call_of_a_store_ends_with_the_store(client: Client, other: Client) -> None:
    other.fault("timeout_before", seconds=60, version="V2")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(other.v2, "GET", "/payments/x")
        while other.control("GET", "faults")["items"]:
            """The rule is taken once the call has arrived."""
        client.control("DELETE", "stores/other", status=204)
        with pytest.raises(httpx.TransportError):
            held.result(10)
