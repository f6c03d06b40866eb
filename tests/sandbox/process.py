"""A real sandbox process, and a real receiver for its webhooks."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx


def free_port() -> int:
    """A port nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


COMMAND = (sys.executable, "-m", "portone_sandbox")


@dataclass
class SandboxProcess:
    """One `portone-sandbox`, as a user starts it."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, command: Sequence[str] = COMMAND) -> None:
        """Start it, and wait until it is ready."""
        settings = {"SANDBOX_PORT": str(self.port), "SANDBOX_DATA": str(self.data)}
        # Our own interpreter on our own module.
        environment = {**os.environ, **settings}
        self.process = subprocess.Popen(command, env=environment)  # noqa: S603
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the sandbox ended at its start"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        raise AssertionError("the sandbox did not become ready")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and answer its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(10)


@dataclass
class Received:
    """One request that a webhook receiver got."""

    path: str
    headers: dict[str, str]
    body: str


class Receiver:
    """Takes webhooks on a local port; answers with `statuses` and `answers` in turn, then 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self.answers: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                answer = (receiver.answers.pop(0) if receiver.answers else "").encode()
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test looks at what was received."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def running(data: Path) -> Iterator[SandboxProcess]:
    """A sandbox that is ended at the end, however the test ends."""
    sandbox = SandboxProcess(data)
    sandbox.start()
    try:
        yield sandbox
    finally:
        if sandbox.process and sandbox.process.poll() is None:
            sandbox.end()
