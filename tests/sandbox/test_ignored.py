"""What real clients send is played, or refused with a word, or said to be ignored."""

import pytest

from .client import Client, Json
from .test_checkout import v1_params, v2_params
from .test_journal import entries
from .test_v2 import CARD, VIRTUAL_ACCOUNT, instant, refused


def notes(client: Client) -> list[str]:
    """The notes of the newest call."""
    found: list[str] = entries(client)[0]["notes"]
    return found


def checkout(client: Client, version: str, params: Json) -> Json:
    """The browser SDK's own call."""
    body: Json = {"params": params, "code": client.keys["v1"]["imp_code"]}
    opened: Json = client.http.post(f"/checkout/{version}", json=body).json()
    return opened


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"promotionId": "promotion-1"}, ["promotionId"]),
        ({"customer": {"fullName": "a", "shoeSize": 3}}, ["customer.shoeSize"]),
        (
            {"products": [{"id": "1", "name": "a", "amount": 1, "quantity": 1, "x": 1}]},
            ["products.x"],
        ),
        ({"totalAmonut": 5, "bypass": {}}, ["bypass", "totalAmonut"]),
        ({}, []),
    ],
)
def test_v2s_sdk_says_what_it_ignores(client: Client, more: Json, names: list[str]) -> None:
    assert "window" in checkout(client, "v2", v2_params(client, **more))
    assert notes(client) == [f"{name} is not played by the sandbox: ignored" for name in names]


@pytest.mark.parametrize(
    ("more", "names"),
    [({"app_scheme": "shop", "digital": True}, ["app_scheme", "digital"]), ({"escrow": False}, [])],
)
def test_v1s_sdk_says_what_it_ignores(client: Client, more: Json, names: list[str]) -> None:
    assert "window" in checkout(client, "v1", v1_params(client, **more))
    assert notes(client) == [f"{name} is not played by the sandbox: ignored" for name in names]


def test_both_apis_say_what_they_ignore(client: Client) -> None:
    imp_uid = client.v1_paid("order-1")
    client.v1("GET", f"/payments?imp_uid[]={imp_uid}&imp_uid[1]=x&size=3")
    assert notes(client) == ["size is not played by the sandbox: ignored"]
    client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid, "retain_promotion": True})
    assert notes(client) == ["retain_promotion is not played by the sandbox: ignored"]
    client.v2_ok("POST", "/payments/order-2/instant", instant(client, CARD) | {"bypass": {}})
    assert notes(client) == ["bypass is not played by the sandbox: ignored"]
    # A refusal is enough to know.
    client.v2("POST", "/payments/order-2/instant", instant(client, CARD) | {"bypass": {}})
    assert notes(client) == []
    page = client.http.get("/").text
    assert "retain_promotion is not played" in page


def test_v1s_pg_names_company_and_merchant(client: Client) -> None:
    params = v1_params(client, pg="html5_inicis.INIpayTest")
    del params["channelKey"]
    checkout(client, "v1", params)
    assert notes(client) == []
    client.pay("order-1")
    paid = client.v1_ok("GET", "/payments/find/order-1")
    assert (paid["pg_provider"], paid["pg_id"]) == ("html5_inicis", "INIpayTest")
    # A channel's key replaces it.
    checkout(client, "v1", v1_params(client, merchant_uid="order-2", pg="kakaopay"))
    assert client.pay("order-2")["pg_provider"] == "tosspayments"


def test_v1s_customer_uid_is_recorded(client: Client) -> None:
    checkout(client, "v1", v1_params(client, customer_uid="customer-1"))
    assert "no billing key" in notes(client)[0]
    client.pay("order-1")
    assert client.v1_ok("GET", "/payments/find/order-1")["customer_uid"] == "customer-1"


@pytest.mark.parametrize("accept", [False, True])
def test_v1s_accounts_need_a_channel_by_a_switch(client: Client, accept: bool) -> None:
    if accept:
        client.set(v1_vbanks_without_channel="default_channel")
    due = int(client.v1_account("order-0")["vbank_date"])
    body = {"merchant_uid": "order-1", "amount": 1000, "vbank_code": "088", "vbank_due": due}
    answer = client.v1("POST", "/vbanks", body).json()
    if accept:
        assert answer["response"]["status"] == "ready"
        client.set(companies={client.keys["v1"]["channel_key"]: "kcp"})
        answer = client.v1("POST", "/vbanks", body | {"merchant_uid": "order-2"}).json()
        assert answer["code"] == 1
    else:
        assert (answer["code"], "channel_key" in answer["message"]) == (1, True)
        assert "v1_vbanks_without_channel" in entries(client)[0]["reason"]


def test_a_channel_group_is_not_played_unless_it_is_named(client: Client) -> None:
    params = v2_params(client, channelGroupId="group-1")
    del params["channelKey"]
    result = checkout(client, "v2", params)["result"]
    assert result["code"] == "ChannelNotFound"
    assert "channel groups are not played" in result["message"]
    body = instant(client, VIRTUAL_ACCOUNT) | {"channelGroupId": "group-1"}
    del body["channelKey"]
    answer = client.v2("POST", "/payments/order-2/instant", body)
    assert refused(answer) == (404, "CHANNEL_NOT_FOUND")
    assert "channel groups are not played" in answer.json()["message"]

    key = client.keys["v2"]["channel_key"]
    client.set(channel_groups=[{"id": "group-1", "channel_keys": [key], "name": "all"}])
    assert "window" in checkout(client, "v2", params)
    client.v2_ok("POST", "/payments/order-2/instant", body)
    for order_id in ("order-1", "order-2"):
        shown = client.v2_ok("GET", f"/payments/{order_id}")
        assert shown["channelGroup"] == {"id": "group-1", "name": "all", "isForTest": True}
        assert shown["channel"]["key"] == key
    unknown = [{"id": "group-2", "channel_keys": ["none"]}]
    assert "none" in client.control("PUT", "settings", {"channel_groups": unknown}, 400)["detail"]


def test_an_unknown_channel_keeps_its_own_words(client: Client) -> None:
    result = checkout(client, "v2", v2_params(client, channelKey="none"))["result"]
    assert result["message"] == "채널 정보를 찾을 수 없습니다."


def test_v1s_token_may_be_in_the_query_and_is_not_kept(client: Client) -> None:
    client.v1_paid("order-1")
    path = f"/v1/payments/find/order-1?_token={client.token}&sorting=paid"
    assert client.http.get(path).status_code == 200
    (newest, *_) = entries(client)
    assert newest["request"]["query"] == "_token=…&sorting=paid"
    assert client.token not in client.http.get("/control/journal").text
    assert client.http.get("/v1/payments/find/order-1?_token=x").status_code == 401
