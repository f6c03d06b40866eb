"""Each line says which request, trade, payment or job it is about, and keeps secrets to itself."""

import asyncio
import io
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from market.app import Market
from market.kit.db.database import Database
from market.kit.observability.logging import BufferedWriter, with_ids
from tests.operations.running import running
from tests.operations.slow_gateway import slow_gateway
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, in_process


async def logged(
    client: Client, method: str, path: str, body: Any = None, **headers: str
) -> list[Any]:
    with capture_logs(processors=[with_ids]) as lines:
        await client.call(method, path, body, **headers)
    return lines


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/products", 200),
        ("/nowhere?token=secret", 404),
        ("/api/auth/login", 405),
        ("/x/y/z", 404),
    ],
)
async def test_every_request_is_a_line_with_its_id(market: Market, path: str, status: int) -> None:
    async with in_process(market) as client:
        with capture_logs(processors=[with_ids]) as lines:
            answer = await client.call("GET", path, X_Request_Id="my-own_1")
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == "my-own_1"
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["request_id"], line["status"], line["method"]) == ("my-own_1", status, "GET")
    assert "secret" not in str(lines)


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, 'a"b', "한글"])
async def test_an_id_that_is_no_plain_word_is_replaced(market: Market, given: str) -> None:
    async with in_process(market) as client:
        answer = await client.http.get("/nowhere", headers={b"X-Request-Id": given.encode()})
    assert answer.headers["x-request-id"].isalnum()
    assert answer.headers["x-request-id"] != given


async def test_lines_name_the_trade_and_the_payment(
    market: Market, gateway: MemoryGateway, db: Database
) -> None:
    async with in_process(market) as client:
        seller, buyer = await client.member("s"), await client.member("b")
        product = await seller.product()
        (line,) = await logged(buyer, "POST", f"/api/products/{product['id']}/trades")
        trade_id = line["trade_id"]
        assert (line["product_id"], await db.fetch_value("SELECT id FROM trades")) == (
            product["id"],
            trade_id,
        )
        path = f"/api/trades/{trade_id}/payment"
        (line,) = await logged(buyer, "POST", path, {"method": "CARD"})
        payment_id = await db.fetch_value("SELECT id FROM payments")
        assert (line["trade_id"], line["payment_id"]) == (trade_id, payment_id)
        (line,) = await logged(buyer, "GET", f"/api/payments/{payment_id}")
        assert line["payment_id"] == payment_id
        body = {"merchant_uid": payment_id, "imp_uid": "imp_1"}
        (line,) = await logged(client, "POST", "/webhooks/portone/v1", body)
        assert line["payment_id"] == payment_id

        # What is logged on the way, not only at its end.
        gateway.pay(payment_id, 1000)
        await buyer.post(f"/api/payments/{payment_id}/complete")
        gateway.dead = True
        lines = await logged(buyer, "POST", f"/api/trades/{trade_id}/cancel", {"reason": "why"})
        assert {line["event"] for line in lines} == {"cancellation_unanswered", "request"}
        for line in lines:
            assert (line["trade_id"], line["payment_id"]) == (trade_id, payment_id)
        assert len({line["request_id"] for line in lines}) == 1


class Written(io.BytesIO):
    """Notes what each write had in it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def write(self, part: Any) -> int:
        self.parts.append(bytes(part))
        return len(part)


async def test_a_turn_s_lines_are_written_whole_and_no_more_than_a_pipe_takes_at_once() -> None:
    """What is longer than PIPE_BUF, another process's lines could come in the middle of."""
    written = Written()
    lines = BufferedWriter(written)
    said = [b"%d " % number + b"x" * 1_000 for number in range(10)] + [b"y" * 2 * PIPE_BUF, b"z"]
    for line in said:
        lines.msg(line)
    assert written.parts == []  # not in the middle of a turn
    await asyncio.sleep(0)
    assert b"".join(written.parts).splitlines() == said
    assert all(part.endswith(b"\n") for part in written.parts)
    assert [len(part) > PIPE_BUF for part in written.parts].count(True) == 1
    assert len(written.parts) == 5


def test_where_no_loop_runs_a_line_is_written_at_once() -> None:
    written = Written()
    BufferedWriter(written).msg(b"said")
    assert written.parts == [b"said\n"]


async def test_one_request_s_ids_do_not_stay_for_the_next(acts: Acts, market: Market) -> None:
    trade, _ = await acts.paid_trade()
    async with in_process(market) as client:
        await logged(client, "GET", f"/api/trades/{trade.id}")
        (line,) = await logged(client, "GET", "/api/products")
    assert {"trade_id", "payment_id"}.isdisjoint(line)


async def test_the_worker_names_the_job_and_the_payment(
    acts: Acts, market: Market, db: Database, dsn: str, tmp_path: Path
) -> None:
    payment = await acts.payment(await acts.trade())
    await db.execute("UPDATE trades SET hold_expires_at = now() - interval '1 second'")
    # Its gateway is not there: the hold ends unlooked.
    with running("worker", dsn, tmp_path) as worker:
        line = await asyncio.to_thread(worker.until_logged, "hold_ends_unlooked")
        worker.stop()
        await asyncio.to_thread(worker.ended)
    assert (line["job"], line["payment_id"]) == ("holds", payment.id)
    assert line["trade_id"] == payment.trade_id


async def test_a_server_writes_json_and_no_secret(dsn: str, tmp_path: Path) -> None:
    with (
        slow_gateway() as gateway,
        running(
            "serve", dsn, tmp_path, PORTONE_V1_API_URL=gateway.url, PORTONE_V1_SECRET="hush-hush"
        ) as server,
    ):
        gateway.let_go.set()
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as http:
            seller, buyer = [await Client(http).member(name) for name in "ab"]
            trade = await buyer.buy((await seller.product())["id"])
            await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})
            await buyer.call("GET", "/api/products?q=whoever-is-looked-for")
            tokens = (buyer.token, buyer.refresh_token, seller.token)
        server.stop()
        await asyncio.to_thread(server.ended)
        written = server.log.read_text()
        requests = [line for line in server.lines() if line["event"] == "request"]
    assert len(requests) >= 6
    assert all(line["request_id"] for line in requests)
    for secret in (*tokens, "hush-hush", "a password", "whoever-is-looked-for", buyer.email):
        assert secret
        assert secret not in written
