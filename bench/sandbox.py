"""How many requests a second the sandbox takes on one core, and how late its answers are.

    python bench/sandbox.py [--rate 500] [--seconds 10] [--core 0] [--webhooks]

Open loop: requests start when the plan says, whether or not earlier ones were answered, and each
is timed from its planned start; so a stall counts against every request that it made wait. The
load is a shop's: one payment is registered, paid, looked up twice, cancelled in part and looked up
again, in V1 and V2 by turns. The sandbox runs on one core (Linux), the load on the others.
"""

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

CONNECTIONS = 32
OK = 200
TARGET_RATE = 500  # requests a second
TARGET_P99 = 0.020  # seconds


@dataclass
class Load:
    """What is asked, and what came of it."""

    port: int
    keys: dict[str, dict[str, str]]
    token: str = ""
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """One HTTP request as bytes."""
        content = b"" if body is None else json.dumps(body).encode()
        secret = f"PortOne {self.keys['v2']['api_secret']}" if path[:3] == "/v2" else self.token
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {secret}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def v1(self, number: int) -> Iterator[bytes]:
        """A V1 payment's life."""
        order = f"bench-v1-{number}"
        yield self.request("POST", "/v1/payments/prepare", {"merchant_uid": order, "amount": 1000})
        yield self.request("POST", "/control/pay", {"payment_id": order})
        yield self.request("GET", f"/v1/payments/find/{order}")
        cancel = {"merchant_uid": order, "amount": 300, "checksum": 1000}
        yield self.request("POST", "/v1/payments/cancel", cancel)
        yield self.request("GET", f"/v1/payments/find/{order}/paid")

    def v2(self, number: int) -> Iterator[bytes]:
        """A V2 payment's life."""
        path = f"/v2/payments/bench-v2-{number}"
        amount = {"totalAmount": 1000, "currency": "KRW"}
        yield self.request("POST", f"{path}/pre-register", amount)
        yield self.request("POST", "/control/pay", {"payment_id": f"bench-v2-{number}"})
        yield self.request("GET", path)
        cancel = {"reason": "bench", "amount": 300, "currentCancellableAmount": 1000}
        yield self.request("POST", f"{path}/cancel", cancel)
        yield self.request("GET", path)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Send one request over a kept connection; answers the status."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def drive(
    load: Load, lives: asyncio.Queue[tuple[float, Iterator[bytes]]], step: float
) -> None:
    """One buyer at a time: its requests start `step` seconds apart, or at once when late."""
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    loop = asyncio.get_running_loop()
    while not lives.empty():
        planned, life = lives.get_nowait()
        for request in life:
            await asyncio.sleep(max(0.0, planned - loop.time()))
            load.failures += await ask(reader, writer, request) != OK
            load.latencies.append(loop.time() - planned)
            planned += step
    writer.close()


async def run(load: Load, rate: float, seconds: float) -> float:
    """The whole plan; answers how long it took."""
    loop, lives = asyncio.get_running_loop(), asyncio.Queue[tuple[float, Iterator[bytes]]]()
    requests_each, started = 5, loop.time() + 0.2
    step = CONNECTIONS / rate
    for number in range(int(rate * seconds / requests_each)):
        # Each connection takes a life after the other; lives start spread over the whole plan.
        planned = started + (number // CONNECTIONS) * requests_each * step
        planned += (number % CONNECTIONS) / rate
        life = load.v1(number) if number % 2 else load.v2(number)
        lives.put_nowait((planned, life))
    await asyncio.gather(*(drive(load, lives, step) for _ in range(CONNECTIONS)))
    return loop.time() - started


def start(core: int, folder: str, *, webhooks: bool) -> tuple[subprocess.Popen[bytes], int]:
    """A sandbox on one core."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = int(line.getsockname()[1])
    environment = {
        **os.environ,
        "SANDBOX_PORT": str(port),
        "SANDBOX_DATA": f"{folder}/bench.sqlite",
    }
    if webhooks:
        # Nobody listens: each webhook costs a refused connection and a planned retry.
        url = "http://127.0.0.1:9/bench"
        environment |= {"SANDBOX_WEBHOOK_URL_V1": url, "SANDBOX_WEBHOOK_URL_V2": url}
    command = [sys.executable, "-m", "portone_sandbox"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
        others = os.sched_getaffinity(0) - {core}
        os.sched_setaffinity(0, others or {core})
    return process, port


async def prepare(port: int) -> Load:
    """Wait for the sandbox, and fetch its keys and a token."""
    for _ in range(100):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            await asyncio.sleep(0.1)
    load = Load(port, {"v1": {}, "v2": {"api_secret": ""}})

    async def fetch(method: str, path: str, body: object = None) -> dict[str, dict[str, str]]:
        writer.write(load.request(method, path, body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        shown: dict[str, dict[str, str]] = json.loads(await reader.readexactly(length))
        return shown

    load.keys = await fetch("GET", "/control/credentials")
    keys = {name: load.keys["v1"][name] for name in ("imp_key", "imp_secret")}
    load.token = (await fetch("POST", "/v1/users/getToken", keys))["response"]["access_token"]
    writer.close()
    return load


def report(load: Load, took: float) -> bool:
    """Print the figures; answers whether the target was met."""
    ordered = sorted(load.latencies)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    reached = len(ordered) / took
    print(
        f"{reached:.0f} requests/s, p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms,"
        f" worst {ordered[-1] * 1000:.1f} ms, {load.failures} failures of {len(ordered)}"
    )
    return load.failures == 0 and p99 < TARGET_P99


def main() -> None:
    """Start a sandbox, load it, print the figures, and exit with 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=TARGET_RATE, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--core", type=int, default=0, help="the core the sandbox runs on")
    parser.add_argument("--webhooks", action="store_true", help="with webhooks nobody takes")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, port = start(wanted.core, folder, webhooks=wanted.webhooks)
        try:
            load = asyncio.run(prepare(port))
            began = time.process_time()
            took = asyncio.run(run(load, wanted.rate, wanted.seconds))
            print(f"load generator: {(time.process_time() - began) / took:.0%} of its core")
        finally:
            process.terminate()
            process.wait(10)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (used.ru_utime + used.ru_stime) / len(load.latencies)
    # Counts the start, too. Unlike the latencies it hardly depends on who else uses the machine.
    print(f"sandbox: {busy * 1000:.2f} ms of CPU a request; machine load {os.getloadavg()[0]:.1f}")
    sys.exit(0 if report(load, took) else 1)


if __name__ == "__main__":
    main()
