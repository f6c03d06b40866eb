"""One process of the market, as an operator starts it, and what it writes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.sandbox.process import free_port
from tests.support.processes import SECRET

WITHIN_S = 180  # a machine may be busy with much else


@dataclass
class Running:
    """A process that runs; `log` is what it writes."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def lines(self) -> list[Any]:
        """What it has logged by now; a line still being written is left out."""
        whole = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in whole if line.startswith("{") and line.endswith("}\n")]

    def until_logged(self, event: str) -> Any:
        """The first line with this event, when it is there."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["event"] == event:
                    return line
            self._look_again()
        raise AssertionError(f"{event} was not logged:\n{self.log.read_text()}")

    def until_ready(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if self.answers("/health/ready") == 200:
                return
            self._look_again()
        raise AssertionError(f"it did not become ready:\n{self.log.read_text()}")

    def until_closed(self) -> None:
        """Returns when nobody new is let in."""
        deadline = time.monotonic() + WITHIN_S
        while self.answers("/health/live") is not None:
            assert time.monotonic() < deadline, "it lets everybody in"

    def answers(self, path: str) -> int | None:
        """The status a newcomer gets, None for no answer."""
        try:
            return httpx.get(self.url + path, trust_env=False, timeout=1).status_code
        except httpx.TransportError:
            return None

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self.process.wait(WITHIN_S)

    def _look_again(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.05)
            raise AssertionError(f"it fell:\n{self.log.read_text()}")


@contextmanager
def running(command: str, dsn: str, data: Path, **settings: str) -> Iterator[Running]:
    """`market serve` or `market worker`, until the end of the block."""
    port = free_port()
    env: Mapping[str, str] = {
        **os.environ,
        "DATABASE_URL": dsn,
        "MARKET_DATA": str(data),
        "MARKET_SECRET": SECRET,
        "MARKET_PORT": str(port),
        "SANDBOX_PORT": str(free_port()),
        **settings,
    }
    log = data / f"{command}.log"
    with log.open("wb") as output:
        # Our own interpreter on our own module.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "market", command], env=env, stderr=output, stdout=output
        )
    market = Running(process, log, f"http://127.0.0.1:{port}")
    try:
        if command == "serve":
            market.until_ready()
        else:
            market.until_logged("worker_ready")
        yield market
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
