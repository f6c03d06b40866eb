"""A pytest plugin: `portone_sandbox` is a sandbox that a test has for itself.

Each process of pytest (also of pytest-xdist) starts one sandbox, at the first test that asks for
it, on a free port; each test gets a store of it, empty at its start and dropped at its end.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

_ARGUMENTS = "portone_sandbox_args"
_ADDRESS = re.compile(r"listens on (http://\S+)")
_NAME_LENGTH_MAX = 150
_END_SECONDS = 10


class Sandbox:
    """One test's store.

    Point the code under test at `v1_url` and `v2_url`, pages at `url`/sdk/v1.js and v2.js.
    """

    def __init__(self, http: httpx.Client, origin: str, name: str) -> None:
        self.name = name
        self.headers = {"X-Sandbox-Store": name}
        self.url = f"{origin}/stores/{quote(name, safe='')}"
        self.v1_url, self.v2_url = f"{self.url}/v1", f"{self.url}/v2"
        self._http = http

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call `/control/{path}`; returns the decoded answer, or None where there is none.

        Raises httpx.HTTPStatusError for a refusal, with the sandbox's reason as a note.
        """
        response = self._http.request(method, f"{self.url}/control/{path}", json=body)
        try:
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(response.text)
            raise
        return response.json() if response.content else None

    @property
    def keys(self) -> Any:
        """The keys of both versions: `keys["v1"]["imp_key"]`, `keys["v2"]["api_secret"]`, …."""
        return self.control("GET", "credentials")

    def pay(self, payment_id: str, **more: object) -> Any:
        """Act as the buyer at the checkout window; returns the value of the SDK's callback."""
        return self.control("POST", "pay", {"payment_id": payment_id, **more})

    def deposit(self, account_number: str, amount: int) -> Any:
        """Send money to a virtual account, in minor units."""
        body = {"account_number": account_number, "amount": amount}
        return self.control("POST", "deposit", body)

    def fault(self, fault: str, times: int | None = 1, **match: str) -> Any:
        """Break the next calls that match: `fault("timeout_after", path="/payments/cancel")`."""
        return self.control("POST", "faults", {"fault": fault, "times": times, "match": match})

    def set(self, **settings: object) -> Any:
        """Change settings: `set(webhook_url_v2=…)`."""
        return self.control("PUT", "settings", settings)

    def advance(self, seconds: float) -> Any:
        """Move the clock."""
        return self.control("POST", "clock", {"advance_seconds": seconds})

    def webhooks(self) -> Any:
        """Every webhook with its attempts, once no more is due."""
        self.control("POST", "webhooks/settle", {})
        return self.control("GET", "webhooks")["items"]

    def refusals(self) -> list[str]:
        """The reason of each refused call, newest first."""
        entries = self.control("GET", "journal?refused=true")["items"]
        return [str(entry["reason"]) for entry in entries]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini(_ARGUMENTS, "More arguments of portone-sandbox, such as --seed 1", type="args")


@pytest.fixture(scope="session")
def portone_sandbox_origin(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of this process's sandbox."""
    data = tmp_path_factory.mktemp("portone-sandbox") / "sandbox.sqlite"
    command = [sys.executable, "-m", "portone_sandbox", "--port", "0", "--data", str(data)]
    # The sandbox ends with its standard input, so it is never left behind, however pytest ends.
    command += ["--quiet", "--end-with-stdin", *request.config.getini(_ARGUMENTS)]
    with subprocess.Popen(  # noqa: S603 - our own interpreter on our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _address_of(process)
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _address_of(process: subprocess.Popen[str]) -> str:
    """The address that the sandbox prints once it listens."""
    line = process.stdout.readline() if process.stdout else ""
    found = _ADDRESS.search(line)
    if found is None:
        pytest.fail("the sandbox did not start; its own words are above", pytrace=False)
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, trust_env=False) as client:
        client.get(f"{found[1]}/health").raise_for_status()
    return found[1]


@pytest.fixture(scope="session")
def _portone_sandbox_http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def portone_sandbox(
    request: pytest.FixtureRequest,
    portone_sandbox_origin: str,
    _portone_sandbox_http: httpx.Client,
) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    name = re.sub(r"[^\w.-]+", "-", request.node.nodeid, flags=re.ASCII)[-_NAME_LENGTH_MAX:]
    sandbox = Sandbox(_portone_sandbox_http, portone_sandbox_origin, name)
    yield sandbox
    sandbox.control("DELETE", f"stores/{name}")
