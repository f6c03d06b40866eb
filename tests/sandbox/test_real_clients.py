"""What other people's clients send: older headers and verbs, lists, cached tokens, no base path."""

import pytest

from .client import Client


def test_v1s_older_token_header_is_taken(client: Client) -> None:
    client.v1_paid("order-1")
    path = "/v1/payments/find/order-1"
    for name in ("X-ImpTokenHeader", "Authorization"):
        assert client.http.get(path, headers={name: client.token}).status_code == 200
    for headers in ({}, {"X-ImpTokenHeader": "x"}, {"X-ImpTokenHeader": ""}):
        assert client.http.get(path, headers=headers).status_code == 401


LOOKUPS = (
    "/payments/find/order-1",
    "/payments/find/order-1/paid",
    "/payments/findAll/order-1",
    "/payments/findAll/order-1/paid",
    "/payments/status/paid",
    "/payments/prepare/order-1",
    "/payments/{imp_uid}?include_sandbox=true",
    "/payments/{imp_uid}/balance",
)


@pytest.mark.parametrize("path", LOOKUPS)
def test_v1_lookups_may_be_posted(client: Client, path: str) -> None:
    path = path.replace("{imp_uid}", client.v1_paid("order-1"))
    assert client.v1_ok("POST", path) == client.v1_ok("GET", path)


def test_a_posted_lookup_reads_its_body(client: Client) -> None:
    client.v1_ok("POST", "/payments/prepare", {"merchant_uid": "order-1", "amount": 1000})
    client.pay("order-1", outcome="failed")
    imp_uid = client.pay("order-1")["imp_uid"]
    assert client.v1("POST", f"/payments/{imp_uid}").status_code == 404
    body: dict[str, object] = {"include_sandbox": True}
    assert client.v1_ok("POST", f"/payments/{imp_uid}", body)["status"] == "paid"
    page = client.v1_ok("POST", "/payments/findAll/order-1", {"limit": 1, "sorting": "started"})
    assert [one["status"] for one in page["list"]] == ["failed"]
    assert client.v1_ok("POST", "/payments", {"imp_uid": [imp_uid]})[0]["imp_uid"] == imp_uid


@pytest.mark.parametrize(
    "query",
    [
        "imp_uid[]={0}&imp_uid[]={1}",
        "imp_uid[0]={0}&imp_uid[1]={1}",
        "imp_uid%5B%5D={0}&imp_uid%5B%5D={1}",
        "imp_uid={0}&imp_uid={1}",
        "imp_uid={0},{1}",
        "merchant_uid[]=order-1&merchant_uid[]=order-2",
        "merchant_uid=order-1,order-2",
        "imp_uid[]={0}&merchant_uid[]=order-2",
    ],
)
def test_v1_takes_a_list_however_it_is_written(client: Client, query: str) -> None:
    uids = [client.v1_paid(f"order-{number}") for number in (1, 2)]
    answer = client.v1("GET", f"/payments?{query.format(*uids)}")
    assert (answer.status_code, [p["imp_uid"] for p in answer.json()["response"]]) == (200, uids)


def test_a_comma_of_an_order_id_is_no_list(client: Client) -> None:
    client.v1_paid("a,b")
    (found,) = client.v1_ok("GET", "/payments?merchant_uid[]=a,b")
    assert found["merchant_uid"] == "a,b"


def test_v1_is_at_the_root_too(client: Client) -> None:
    keys = {name: client.keys["v1"][name] for name in ("imp_key", "imp_secret")}
    token = client.http.post("/users/getToken", json=keys).json()["response"]["access_token"]
    headers = {"Authorization": token}
    body = {"merchant_uid": "order-1", "amount": 1000}
    assert client.http.post("/payments/prepare", json=body, headers=headers).json()["code"] == 0
    client.pay("order-1")
    for headers in (
        {"Authorization": token},
        {"Authorization": f"Bearer {token}"},
        {"X-ImpTokenHeader": token},
    ):
        found = client.http.get("/payments/find/order-1", headers=headers).json()
        assert found["response"]["status"] == "paid"
        assert client.http.get("/payments/none", headers=headers).json()["code"] == -1


def test_v2_is_at_the_root_too(client: Client) -> None:
    client.v2_paid("order-1")
    secret = client.keys["v2"]["api_secret"]
    login = client.http.post("/login/api-secret", json={"apiSecret": secret}).json()
    again = client.http.post("/token/refresh", json={"refreshToken": login["refreshToken"]})
    assert again.status_code == 200
    for credential in (f"PortOne {secret}", f"Bearer {again.json()['accessToken']}"):
        headers = {"Authorization": credential}
        assert client.http.get("/payments/order-1", headers=headers).json()["status"] == "PAID"
    assert client.http.get("/banks").status_code == 200


def test_each_call_at_the_root_goes_where_its_credential_says(client: Client) -> None:
    client.v1_paid("order-1")
    client.v2_paid("order-2")
    v2 = {"Authorization": f"PortOne {client.keys['v2']['api_secret']}"}
    v1 = {"Authorization": client.token}
    assert client.http.get("/payments/find/order-1", headers=v1).json()["code"] == 0
    assert client.http.get("/payments/order-2", headers=v2).json()["status"] == "PAID"
    # A path that only looks like a version's is no version's without a credential.
    assert client.http.get("/payments/order-2").status_code == 404
    wrong = {"Authorization": "PortOne wrong"}
    assert client.http.get("/payments/order-2", headers=wrong).json()["type"] == "UNAUTHORIZED"
    unknown = {"Authorization": "f" * 40}
    assert client.http.get("/payments/find/order-1", headers=unknown).json()["code"] == -1


def test_portones_host_names_decide_too(client: Client) -> None:
    client.v2_paid("order-2")
    headers = {"Host": "api.iamport.kr", "Authorization": client.token}
    assert client.http.get("/payments/none", headers=headers).json()["code"] == -1
    headers = {"Host": "api.portone.io:443", "Authorization": "PortOne wrong"}
    assert client.http.get("/payments/order-2", headers=headers).json()["type"] == "UNAUTHORIZED"


def test_a_client_that_keeps_its_token_survives_a_reset(client: Client) -> None:
    secret = client.keys["v2"]["api_secret"]
    login = client.v2_ok("POST", "/login/api-secret", {"apiSecret": secret})
    v1, v2 = client.token, f"Bearer {login['accessToken']}"
    client.control("POST", "reset", status=204)
    client.v1_paid("order-1")
    client.v2_paid("order-2")
    path = "/v1/payments/find/order-1"
    assert client.http.get(path, headers={"Authorization": v1}).status_code == 200
    path = "/v2/payments/order-2"
    assert client.http.get(path, headers={"Authorization": v2}).status_code == 200
    client.control("POST", "reset", {"keep": []}, status=204)
    assert client.http.get(path, headers={"Authorization": v2}).status_code == 401
    assert client.http.get("/v1/payments/x", headers={"Authorization": v1}).status_code == 401


def test_a_reset_keeps_what_it_is_told_to(client: Client) -> None:
    everything = ["keys", "settings", "faults", "clock", "tokens"]
    keys = {"v1": client.keys["v1"] | {"imp_code": "imp12345678"}}
    for keep in (everything, [], ["settings"], ["clock", "faults"]):
        client.control("PUT", "credentials", keys)
        client.set(account_expiry="fail")
        client.fault("error_500", path="/never")
        client.control("POST", "clock", {"advance": 3600})
        client.control("POST", "reset", {"keep": keep}, 204)
        kept = {
            "keys": client.control("GET", "credentials")["v1"]["imp_code"] == "imp12345678",
            "settings": client.control("GET", "settings")["account_expiry"] == "fail",
            "faults": bool(client.control("GET", "faults")["items"]),
            "clock": client.control("GET", "clock")["offset_seconds"] > 3000,
        }
        assert kept == {part: part in keep for part in kept}
        client.control("POST", "reset", {"keep": []}, 204)
    client.control("POST", "reset", {"keep": ["payments"]}, 400)


def test_a_tokens_life_is_told_truly_after_the_clock_was_put_back(client: Client) -> None:
    keys = {name: client.keys["v1"][name] for name in ("imp_key", "imp_secret")}
    client.advance(hours=24 * 400)
    first = client.http.post("/v1/users/getToken", json=keys).json()["response"]
    client.control("POST", "reset", status=204)
    again = client.http.post("/v1/users/getToken", json=keys).json()["response"]
    assert again["access_token"] == first["access_token"]
    assert again["expired_at"] - again["now"] == 1800


@pytest.mark.parametrize(
    "path", ["/health", "/", "/control/settings", "/sdk/v1.js", "/static/dashboard.css"]
)
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    head, get = client.http.head(path), client.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/":  # its text has the time
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_of_either_api_and_of_what_is_not_there(client: Client) -> None:
    client.v1_paid("order-1")
    client.v2_paid("order-2")
    assert client.v1("HEAD", "/payments/find/order-1").status_code == 200
    assert client.v2("HEAD", "/payments/order-2").status_code == 200
    assert client.v1("HEAD", "/payments/find/none").status_code == 404
    assert client.http.head("/nowhere").status_code == 404
    cancel = [client.v1(method, "/payments/cancel").status_code for method in ("HEAD", "GET")]
    assert cancel[0] == cancel[1]
