"""How soon a webhook is answered while the gateway works, hangs, and is gone (P3: within 50 ms).

    python bench/inbox.py [--webhooks 500]

A market, its worker and a sandbox are started; 20 payments are begun. Then webhooks about them
arrive one after the other: with the sandbox alive, stopped in mid-air (SIGSTOP: it takes
connections and never answers), and killed. Each is timed from its first byte to its answer.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from market.kit.db import embedded
from market.kit.db.migrate import migrate

PAYMENTS = 20
TARGET_S = 0.050


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


def ask(port: int, path: str, body: object = None, token: str = "") -> Any:
    """A POST with JSON, and its answer."""
    request = urllib.request.Request(  # our own server
        f"http://127.0.0.1:{port}{path}",
        json.dumps(body or {}).encode(),
        {"Content-Type": "application/json"} | ({"Authorization": token} if token else {}),
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def await_ready(port: int, path: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}")


@contextmanager
def market(data: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Everything on free ports; the market's port and the sandbox's process."""
    dsn = embedded.start(data / "postgres", keep=False)
    migrate(dsn)
    ours, theirs = free_port(), free_port()
    env = {
        **os.environ,
        "DATABASE_URL": dsn,
        "MARKET_DATA": str(data),
        "MARKET_PORT": str(ours),
        "MARKET_RATE_LIMITS": "off",
        "SANDBOX_PORT": str(theirs),
        "SANDBOX_DATA": str(data / "sandbox.sqlite"),
    }
    parts = [
        subprocess.Popen(  # noqa: S603 # fixed words
            [sys.executable, "-m", *words],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for words in (["portone_sandbox"], ["market", "worker"], ["market", "serve"])
    ]
    try:
        await_ready(theirs, "/health")
        await_ready(ours, "/health/ready")
        yield ours, parts[0]
    finally:
        for part in parts:
            part.send_signal(signal.SIGCONT)
            part.terminate()
        for part in parts:
            part.wait(30)


def begin_payments(port: int) -> list[str]:
    """Payments that wait, by id."""

    def member(name: str) -> str:
        body = {"email": f"{name}@example.com", "password": "a password", "nickname": name}
        return f"Bearer {ask(port, '/api/auth/signup', body)['access_token']}"

    seller = member("seller")
    body = {"name": "chair", "price": 1000, "quantity": PAYMENTS}
    product = ask(port, "/api/products", body, seller)["id"]
    ids = []
    for number in range(PAYMENTS):
        buyer = member(f"buyer{number}")
        trade = ask(port, f"/api/products/{product}/trades", token=buyer)["id"]
        paid = ask(port, f"/api/trades/{trade}/payment", {"method": "CARD"}, buyer)
        ids.append(paid["id"])
    return ids


def measure(port: int, ids: list[str], webhooks: int) -> list[float]:
    """Seconds from the first byte of each webhook to its answer."""
    line, seconds = HTTPConnection("127.0.0.1", port, timeout=30), []
    for number in range(webhooks):
        body = json.dumps({"merchant_uid": ids[number % len(ids)], "imp_uid": f"imp_{number}"})
        began = time.perf_counter()
        line.request("POST", "/webhooks/portone/v1", body, {"Content-Type": "application/json"})
        answer = line.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
        if answer.status != 200:  # noqa: PLR2004
            raise SystemExit(f"a webhook was answered {answer.status}")
    line.close()
    return sorted(seconds)


def main() -> None:
    """Prints a line per state of the gateway; exits with 1 when its p99 is past the target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--webhooks", type=int, default=500, help="per state of the gateway")
    wanted, late = parser.parse_args(), False
    with tempfile.TemporaryDirectory() as folder, market(Path(folder)) as (port, sandbox):
        ids = begin_payments(port)
        for state, how in (("works", None), ("hangs", signal.SIGSTOP), ("is gone", signal.SIGKILL)):
            if how is not None:
                sandbox.send_signal(how)
            found = measure(port, ids, wanted.webhooks)
            p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
            late = late or p99 > TARGET_S
            print(
                f"the gateway {state}: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms,"
                f" worst {found[-1] * 1000:.1f} ms"
            )
    sys.exit(late)


if __name__ == "__main__":
    main()
