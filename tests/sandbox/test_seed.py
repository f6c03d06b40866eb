"""A seed: every id and token is the same in every run."""

from pathlib import Path

from .client import Client, Json
from .process import COMMAND, SandboxProcess, running
from .test_stores import STORE


def _started(data: Path, *arguments: str) -> SandboxProcess:
    process = SandboxProcess(data)
    process.start((*COMMAND, *arguments))
    return process


def _story(client: Client) -> list[str]:
    """Everything that was drawn: tokens, attempts, accounts, approvals, cancellations, webhooks."""
    client.control("POST", "clock", {"freeze": True, "at": "2030-05-01T00:00:00Z"})
    client.set(webhook_url_v2="http://127.0.0.1:9/nowhere")
    secret = {"apiSecret": client.keys["v2"]["api_secret"]}
    tokens: Json = client.http.post("/v2/login/api-secret", json=secret).json()
    imp_uid = client.v1_paid("order-1")
    client.v1_ok("POST", "/payments/cancel", {"imp_uid": imp_uid, "amount": 100})
    client.v2_paid("order-2")
    answer = client.v2_ok("POST", "/payments/order-2/cancel", {"reason": "r"})
    account = client.v1_account("order-3")
    client.control("POST", "deposit", {"account_number": account["vbank_num"], "amount": 1000})
    client.settle()
    sends = client.control("GET", "webhooks")["items"]
    return [
        client.token,
        tokens["accessToken"],
        tokens["refreshToken"],
        answer["cancellation"]["id"],
        str(client.control("GET", "payments")["items"]),
        *(f"{sent['webhook_id']} {sent['next_at']}" for sent in sends),
    ]


def test_a_seed_makes_every_run_the_same(tmp_path: Path) -> None:
    stories = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        process = _started(tmp_path / name, "--seed", seed)
        client = Client(process.url)
        stories.append(_story(client))
        client.close()
        assert process.end() == 0
    assert stories[0] == stories[1]
    assert not set(stories[0]) & set(stories[2])


def test_a_reset_and_each_store_begin_anew(tmp_path: Path) -> None:
    process = _started(tmp_path / "data", "--seed", "7")
    url = process.url
    stories = []
    for store in ("", "", "one", "two"):
        headers = {STORE: store} if store else {}
        client = Client(url, headers=headers)
        stories.append(_story(client))
        client.control("POST", "reset", {"keep": []}, status=204)
        client.close()
    assert stories[0] == stories[1]
    assert not set(stories[2]) & set(stories[3])
    assert process.end() == 0


def test_a_restart_draws_no_id_again(tmp_path: Path) -> None:
    data, drawn = tmp_path / "data", set()
    for name in ("order-1", "order-2"):
        process = _started(data, "--seed", "7")
        client = Client(process.url)
        drawn.add(client.v1_paid(name))
        client.close()
        process.end()
    assert len(drawn) == 2


def test_without_a_seed_no_two_runs_are_alike(tmp_path: Path) -> None:
    tokens = set()
    for name in ("a", "b"):
        with running(tmp_path / name) as process:
            client = Client(process.url)
            tokens.add(client.token)
            client.close()
    assert len(tokens) == 2
