"""The pytest plugin, in test suites of strangers: in processes of their own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

_TEN = """
import httpx
import pytest


def secret(sandbox):
    return {"Authorization": f"PortOne {sandbox.keys['v2']['api_secret']}"}


@pytest.mark.parametrize("number", range(8))
def test_each_has_a_sandbox_for_itself(portone_sandbox, number):
    assert portone_sandbox.control("GET", "payments")["items"] == []
    url = f"{portone_sandbox.v2_url}/payments/order-1"
    order = {"totalAmount": 1000 + number, "currency": "KRW"}
    httpx.post(f"{url}/pre-register", json=order, headers=secret(portone_sandbox), trust_env=False)
    portone_sandbox.pay("order-1")
    shown = httpx.get(url, headers=secret(portone_sandbox), trust_env=False).json()
    assert (shown["status"], shown["amount"]["total"]) == ("PAID", 1000 + number)


def test_faults_and_the_clock(portone_sandbox):
    portone_sandbox.advance(3600)
    portone_sandbox.fault("error_500", path="/payments/*")
    url = f"{portone_sandbox.v2_url}/payments/order-1"
    headers = secret(portone_sandbox)
    statuses = [httpx.get(url, headers=headers, trust_env=False).status_code for _ in range(2)]
    assert statuses == [500, 404]
    assert len(portone_sandbox.refusals()) == 2


def test_nothing_of_another_test_is_left(portone_sandbox):
    assert portone_sandbox.control("GET", "clock")["offset_seconds"] == 0
    assert portone_sandbox.control("GET", "stores")["items"] == [portone_sandbox.name]
    with pytest.raises(httpx.HTTPStatusError) as refused:
        portone_sandbox.deposit("1234", 1000)
    assert "no such account" in refused.value.__notes__[0]
"""
_LEFT_BEHIND = """
import os
import signal


def test_it_dies(portone_sandbox_origin):
    print("at", portone_sandbox_origin, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _answers(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _pytest(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_shop.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nportone_sandbox_args = --seed 1\n")
    command = [sys.executable, "-m", "pytest", "-p", "portone_sandbox.pytest_plugin", *arguments]
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    # A stranger has none of the many plugins that are installed here.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(  # noqa: S603 - our own interpreter
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "-n", "2")])
def test_each_test_has_a_sandbox_for_itself(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = _pytest(tmp_path, _TEN, "-q", *arguments)
    assert "10 passed" in done.stdout, done.stdout + done.stderr


def test_a_pytest_that_is_killed_leaves_no_sandbox_behind(tmp_path: Path) -> None:
    done = _pytest(tmp_path, _LEFT_BEHIND, "-s")
    assert done.returncode == -signal.SIGKILL
    found = re.search(r"at (http://\S+)", done.stdout)
    assert found, done.stdout + done.stderr
    deadline = time.monotonic() + 10
    while _answers(found[1]):
        assert time.monotonic() < deadline


def test_its_own_package_brings_it_along() -> None:
    package = Path(__file__).parents[2] / "src" / "portone_sandbox" / "pyproject.toml"
    assert 'portone_sandbox = "portone_sandbox.pytest_plugin"' in package.read_text()
