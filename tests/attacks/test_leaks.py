"""What goes out by the back door: logs, metrics, errors and tables after a whole story, in which
everything secret was used, some of it wrongly; and text that pretends to be a line of the log."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import asyncpg
import httpx
import pytest

from tests.attacks.conftest import Siege
from tests.attacks.wire import exchange, request
from tests.support.processes import SECRET
from tests.support.web import Client

PASSWORD = "correct horse battery staple"
WRONG_PASSWORD = "Tr0ub4dor and three"
ACCOUNT = "3333019876543"
HOLDER = "김비밀스러운"
MINE = {"bank": "KAKAO", "number": ACCOUNT, "holder": HOLDER}
CANCEL = {"reason": "변심", "refund_account": MINE}
GATEWAY_SECRETS = (
    "sandbox-v1-secret-not-real",
    "sandbox-v2-api-secret-not-real",
    "c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE=",
    "imp_apikey_sandbox",
)


async def sign_up(door: Client, nickname: str) -> Client:
    email = f"{nickname}-leaks@private.test"
    body = {"email": email, "password": PASSWORD, "nickname": nickname}
    made = await door.post("/api/auth/signup", body, Idempotency_Key=f"a-secret-key-of-{nickname}")
    return Client(
        door.http, made["access_token"], made["refresh_token"], made["member"]["id"], email
    )


async def story(door: Client, sandbox: httpx.AsyncClient) -> list[str]:
    """Two members, a deposit, refunds that go wrong and right; every secret that was used."""
    seller, buyer = await sign_up(door, "selma"), await sign_up(door, "bert")
    wrong = {"email": buyer.email, "password": WRONG_PASSWORD}
    assert (await door.call("POST", "/api/auth/login", wrong)).status_code == 401
    product = await seller.product(price=7_000)
    trade = await buyer.buy(product["id"])
    path = f"/api/trades/{trade['id']}"
    means = {"method": "VIRTUAL_ACCOUNT", "bank": "SHINHAN"}
    payment = await buyer.post(f"{path}/payment", means)
    number = payment["virtual_account"]["number"]
    money = {"account_number": number, "amount": 7_000}
    (await sandbox.post("/control/deposit", json=money)).raise_for_status()
    await buyer.post(f"/api/payments/{payment['id']}/complete")
    bad = CANCEL | {"refund_account": MINE | {"number": f"{ACCOUNT}x"}}
    assert (await buyer.call("POST", f"{path}/cancel", bad)).status_code == 400
    fault = {"match": {"version": "V1", "method": "POST", "path": "/payments/cancel"}}
    for kind in ("error_500", "garbage", "timeout_after"):
        body = fault | {"fault": kind, "times": 1}
        (await sandbox.post("/control/faults", json=body)).raise_for_status()
    for _ in range(2):
        assert (await buyer.call("POST", f"{path}/cancel", CANCEL)).status_code in {200, 202}
    (await sandbox.delete("/control/faults")).raise_for_status()
    assert (await buyer.call("GET", f"/api/me?access_token={buyer.token}")).is_success
    stolen = Client(door.http, f"{buyer.token}x")
    assert (await stolen.call("GET", "/api/me")).status_code == 401
    fresh = await door.post("/api/auth/refresh", {"refresh_token": buyer.refresh_token})
    reused = {"refresh_token": buyer.refresh_token}
    assert (await door.call("POST", "/api/auth/refresh", reused)).status_code == 401
    tokens = [token for who in (seller, buyer) for token in (who.token or "", who.refresh_token)]
    return [
        *(*tokens, fresh["access_token"], fresh["refresh_token"]),
        *(PASSWORD, WRONG_PASSWORD, ACCOUNT, HOLDER, seller.email, buyer.email, number),
        *("a-secret-key-of-selma", "a-secret-key-of-bert", SECRET, *GATEWAY_SECRETS),
    ]


def found(secrets: Iterable[str], where: str) -> list[str]:
    """Which of them are there, as they are or in some other spelling."""
    return [
        secret
        for secret in secrets
        for spelling in (
            secret,
            json.dumps(secret)[1:-1],
            secret.encode().hex(),
            base64.b64encode(secret.encode()).decode().rstrip("=")[:-1],
        )
        if spelling in where
    ]


@pytest.fixture
async def secrets(siege: Siege, door: Client) -> list[str]:
    async with httpx.AsyncClient(base_url=siege.market.sandbox, timeout=60) as sandbox:
        return await story(door, sandbox)


async def test_no_secret_gets_into_logs_metrics_incidents_or_tables(
    siege: Siege, door: Client, secrets: list[str]
) -> None:
    log = siege.log.read_text("utf-8")
    assert "/cancel" in log
    assert found(secrets, log) == []
    assert found(secrets, (await door.call("GET", "/metrics")).text) == []
    connection = await asyncpg.connect(siege.market.dsn)
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    kept: dict[str, Any] = {}
    for (name,) in names:
        rows = await connection.fetch(f'SELECT t::text FROM "{name}" t')  # noqa: S608
        if hits := sorted(set(found(secrets, "\n".join(text for (text,) in rows)))):
            kept[name] = hits
    await connection.close()
    # An address is how a member signs in; a virtual account is where a buyer pays, not a secret.
    emails = sorted(secret for secret in secrets if "@" in secret)
    assert kept.pop("members") == emails
    (number,) = kept.pop("payments")
    assert kept == {}
    assert number not in (ACCOUNT, PASSWORD)


@pytest.mark.parametrize(
    "path",
    [
        b"/%0d%0a{%22event%22:%22forged%22}",
        b"/%e2%80%a8{%22event%22:%22forged%22}",
        b"/%c2%85{%22event%22:%22forged%22}",
        b"/%1b[31m%9b31m%ff",
        b"/%ed%a0%80",
    ],
)
async def test_no_path_writes_a_line_of_the_log(siege: Siege, path: bytes) -> None:
    heard = await exchange(siege.market.servers[0], request(path))
    assert heard.status == 404
    (line,) = [line for line in siege.lines() if heard.headers["x-request-id"] in line]
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == "request"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"X-Request-Id: one\ntwo", 400),
        (b"X-Request-Id: one\rtwo", 400),
        (b"X-Request-Id: one\0two", 400),
        (b'X-Request-Id: {"event": "forged"}', 200),
        (b"X-Request-Id: " + b"x" * 65, 200),
        (b"X-Request-Id: caf\xc3\xa9", 200),
        (b"X-Request-Id: ", 200),
    ],
)
async def test_a_request_id_that_is_no_plain_word_is_not_taken_over(
    siege: Siege, header: bytes, status: int
) -> None:
    heard = await exchange(siege.market.servers[0], request(b"/health/live", header))
    assert heard.status == status
    if status == 200:
        assert heard.headers["x-request-id"].isalnum()
        assert len(heard.headers["x-request-id"]) == 32


async def test_whoever_tries_a_door_leaves_a_line(siege: Siege, door: Client) -> None:
    for number, (path, status) in enumerate({"/nowhere": 404, "/api/me": 401}.items()):
        id = f"tried-{number}"
        answer = await Client(door.http, "forged").call("GET", path, X_Request_Id=id)
        assert (answer.status_code, answer.headers["x-request-id"]) == (status, id)
        (line,) = [json.loads(line) for line in siege.lines() if id in line]
        assert (line["path"], line["status"]) == (path, status)


async def test_a_line_says_which_member_it_was(siege: Siege, door: Client) -> None:
    member = await door.member()
    await member.call("GET", "/api/me", X_Request_Id="it-was-me")
    (line,) = [json.loads(line) for line in siege.lines() if "it-was-me" in line]
    assert line["member_id"] == member.id


async def test_every_line_of_the_log_is_one_object_and_none_is_long(siege: Siege) -> None:
    await exchange(siege.market.servers[0], request(b"/" + b"a" * 50_000))
    lines = [line for line in siege.lines() if line]
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert all(len(line) < 1_000 for line in lines if '"event": "request"' in line)


@pytest.mark.parametrize("host", [b"evil.test", b"evil.test:99", b"", b"a, b", b"[::1]", b"x/../y"])
async def test_whatever_host_is_named_no_answer_repeats_it(siege: Siege, host: bytes) -> None:
    forwarded = b"X-Forwarded-Host: evil.test", b"Forwarded: host=evil.test"
    for target in (b"/", b"/docs", b"/openapi.json", b"/nowhere"):
        message = request(target, *forwarded, host=host)
        heard = await exchange(siege.market.servers[0], message)
        assert heard.status in {200, 302, 400, 404}
        assert b"evil.test" not in heard.raw


async def test_a_query_is_not_repeated_where_it_is_refused(door: Client) -> None:
    refused = await door.call("GET", "/api/products?limit=many&token=a-secret")
    assert refused.status_code == 400
    assert "a-secret" not in refused.text
