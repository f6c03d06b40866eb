"""The market as an operator runs it: real processes, real sockets."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.sandbox.process import SandboxProcess, free_port

SECRET = "a secret of the tests, long enough"
READY_WITHIN_S = 120


@dataclass(frozen=True)
class RunningMarket:
    """Where its servers listen, and the gateway they use."""

    version: str
    servers: Sequence[str]
    dsn: str
    sandbox: str


@contextmanager
def running_market(
    dsn: str,
    data: Path,
    servers: int,
    sandbox: str,
    version: str = "V1",
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningMarket]:
    """So many server processes and a worker on one database, until the end of the block; all that
    they print goes to `log`, if one is given, and `environment` has the last word on settings."""
    env = {
        **os.environ,
        "DATABASE_URL": dsn,
        "MARKET_DATA": str(data),
        "MARKET_SECRET": SECRET,
        "MARKET_RATE_LIMITS": "off",
        "PORTONE_VERSION": version,
        "SANDBOX_PORT": sandbox.rpartition(":")[2],
        **(environment or {}),
    }
    ports = [free_port() for _ in range(servers)]
    processes = [_start(["worker"], env, log)]
    processes += [_start(["serve"], env | {"MARKET_PORT": str(port)}, log) for port in ports]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        for url in urls:
            _await_ready(f"{url}/health/ready", processes)
        # What an operator sets in PortOne's console.
        console = {
            f"webhook_url_{name}": f"{urls[0]}/webhooks/portone/{name}" for name in ("v1", "v2")
        }
        httpx.put(f"{sandbox}/control/settings", json=console, trust_env=False).raise_for_status()
        yield RunningMarket(version, urls, dsn, sandbox)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(20) for process in processes]
    assert codes == [0] * len(codes), f"a process did not end well: {codes}"


def stand_ins(sandbox: str) -> dict[str, str]:
    """What makes a market take the sandbox's social providers for Kakao and Naver."""
    keys = httpx.get(f"{sandbox}/control/credentials", trust_env=False).json()["oauth"]
    environment: dict[str, str] = {}
    for name, app in keys.items():
        environment |= {
            f"{name.upper()}_CLIENT_ID": app["client_id"],
            f"{name.upper()}_CLIENT_SECRET": app["client_secret"],
            f"{name.upper()}_AUTH_URL": f"{sandbox}/oauth/{name}",
            f"{name.upper()}_API_URL": f"{sandbox}/oauth/{name}",
        }
    return environment


@contextmanager
def running_sandbox(data: Path, **environment: str) -> Iterator[str]:
    """A PortOne of its own; its URL."""
    sandbox = SandboxProcess(data / "sandbox.sqlite")
    sandbox.start(**environment)
    try:
        yield sandbox.url
    finally:
        sandbox.end()


def _start(command: list[str], env: dict[str, str], log: Path | None) -> subprocess.Popen[bytes]:
    with log.open("ab") if log else contextlib.nullcontext() as out:
        # Our own interpreter on our own module.
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "market", *command], env=env, stdout=out, stderr=out
        )


def _await_ready(url: str, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), "a process fell"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).is_success:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            processes[0].wait(0.05)
    raise AssertionError(f"{url} did not answer")
