"""Whole checkouts: buy, pay through the sandbox, be looked up, approve, confirm."""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from bench import goods, load
from bench.figures import Figures, middle, percentile
from bench.stand import Cluster, Server, environment, free_port, market, serving

ROUNDS = 5
SECONDS = 4.0
BUYERS_AT_ONCE = 32
STEPS = ("buy", "begin", "pay", "complete", "approve", "confirm")


def run(cluster: Cluster) -> Figures:
    database = cluster.database()
    asyncio.run(goods.seed(database))
    port = free_port()
    env = environment(database, 0) | {
        "SANDBOX_PORT": str(port),
        "SANDBOX_DATA": str(database.folder / "sandbox.sqlite"),
    }
    command = [sys.executable, "-m", "portone_sandbox"]
    with (
        serving(command, port, env, "/health") as sandbox,
        market(database, SANDBOX_PORT=str(port)) as ours,
    ):
        figures = uvloop.run(_measure(ours, sandbox, goods.tokens(1, 20_000)))
    database.verify()
    return figures


async def _measure(ours: Server, sandbox: Server, tokens: list[str]) -> Figures:
    (seller,) = goods.tokens(0, 0)
    rates: list[float] = []
    times: dict[str, list[float]] = {step: [] for step in STEPS}
    buyers = iter(enumerate(tokens))
    for _ in range(ROUNDS):
        until = time.perf_counter() + SECONDS
        done = await asyncio.gather(
            *(
                _buyer(ours.port, sandbox.port, buyers, seller, until, times)
                for _ in range(BUYERS_AT_ONCE)
            )
        )
        rates.append(sum(done) / SECONDS)
    return {
        "rate": middle(rates),
        "rounds": [round(rate) for rate in rates],
        "p50_ms": {name: round(percentile(each, 0.5) * 1000, 1) for name, each in times.items()},
        "sandbox_cpu": round(sandbox.cpu(), 1),
        "market_cpu": round(ours.cpu(), 1),
    }


async def _buyer(
    market_port: int,
    sandbox_port: int,
    buyers: Any,
    seller: str,
    until: float,
    times: dict[str, list[float]],
) -> int:
    """One buyer after the other on the same connections; how many confirmed."""
    ours = await asyncio.open_connection("127.0.0.1", market_port)
    theirs = await asyncio.open_connection("127.0.0.1", sandbox_port)
    done = 0

    async def step(name: str, line: Any, path: str, token: str | None, body: Any = None) -> Any:
        began = time.perf_counter()
        content = json.dumps(body).encode() if body is not None else b""
        said = await _ask(*line, load.request("POST", path, token, content))
        times[name].append(time.perf_counter() - began)
        return said

    while time.perf_counter() < until:
        number, token = next(buyers)
        product = goods.product_id(goods.product_of(number, 1, hot=False))
        trade = await step("buy", ours, f"/api/products/{product}/trades", token)
        path = f"/api/trades/{trade['id']}"
        payment = await step("begin", ours, f"{path}/payment", token, {"method": "CARD"})
        paid = {"payment_id": payment["id"], "outcome": "paid"}
        await step("pay", theirs, "/control/pay", None, paid)
        await step("complete", ours, f"/api/payments/{payment['id']}/complete", token, {})
        await step("approve", ours, f"{path}/approve", seller)
        await step("confirm", ours, f"{path}/confirm", token)
        done += 1
    for _, writer in (ours, theirs):
        writer.close()
    return done


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> Any:
    writer.write(sent)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if int(head[9:12]) not in {200, 201}:
        raise SystemExit(f"{sent[:80]!r}: {body.decode()}")
    return json.loads(body)
