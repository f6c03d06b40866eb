"""A load client that costs little: requests are bytes made beforehand, answers are only measured.

Client, server and database share the machine, so what the client uses is missing elsewhere. One
connection is one client: it asks, waits for the whole answer, asks again. In the open loop requests
start when the plan says and are timed from then, so a stall counts against all that it made wait.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from bench.figures import percentile

LENGTH = b"content-length: "
END = b"\r\n\r\n"
REQUEST_TIMEOUT_S = 30.0


@dataclass
class Outcome:
    """What came of a run; latencies in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    broken: int = 0
    client_cpu: float = 0.0

    def rate(self, *good: int) -> float:
        """Answers a second with one of these statuses."""
        return sum(self.statuses[status] for status in good) / self.seconds

    @property
    def p50(self) -> float:
        return percentile(self.latencies, 0.50)

    @property
    def p99(self) -> float:
        return percentile(self.latencies, 0.99)


def get(path: str, token: str | None = None) -> bytes:
    return request("GET", path, token)


def request(method: str, path: str, token: str | None = None, body: bytes = b"") -> bytes:
    """One HTTP request, whole."""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    if token:
        head += f"authorization: Bearer {token}\r\n"
    if body:
        head += "content-type: application/json\r\n"
    if method != "GET":
        head += f"content-length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._received = b""
        self._expected = 0
        self._began = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def ask(self, request: bytes, began: float) -> None:
        self._received, self._expected, self._began = b"", 0, began
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        if not self._expected:
            head = received.find(END)
            if head < 0:
                return
            at = received.lower().find(LENGTH, 0, head)
            length = int(received[at + len(LENGTH) : received.index(b"\r", at)]) if at > 0 else 0
            self._expected = head + len(END) + length
        if len(received) >= self._expected:
            self._run.answered(self, int(received[9:12]), self._began)

    def connection_lost(self, _: Exception | None) -> None:
        self._run.lost(self)


class _Run:
    """One load on one server."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.outcome = Outcome()
        self.idle: list[_Client] = []
        self.late: deque[tuple[bytes, float]] = deque()
        self.open_loop = self.planned_all = False
        self.active = 0
        self.ended = asyncio.Event()
        self.until = until
        self._requests = requests

    def answered(self, client: _Client, status: int, began: float) -> None:
        now = time.perf_counter()
        self.outcome.statuses[status] += 1
        self.outcome.latencies.append(now - began)
        if self.open_loop:
            self.active -= 1
            if self.late:
                self.start(client, *self.late.popleft())
            else:
                self.idle.append(client)
                if self.planned_all and not self.active:
                    self.ended.set()
            return
        self.active -= 1
        self.next(client, now)

    def next(self, client: _Client, now: float) -> None:
        request = next(self._requests, None) if now < self.until else None
        if request is not None:
            self.start(client, request, now)
        elif not self.active:
            self.ended.set()

    def start(self, client: _Client, request: bytes, began: float) -> None:
        self.active += 1
        client.ask(request, began)

    def plan(self, request: bytes, began: float) -> None:
        """For the open loop: over an idle connection now, or over the first that becomes so."""
        if self.idle:
            self.start(self.idle.pop(), request, began)
        else:
            self.late.append((request, began))

    def lost(self, client: _Client) -> None:
        if not self.ended.is_set():
            self.outcome.broken += 1
            self.active -= 1
            if self.active <= 0:
                self.ended.set()


async def closed(port: int, requests: Iterator[bytes], *, clients: int, seconds: float) -> Outcome:
    """So many clients for so long, each asking again as soon as it was answered."""
    run = _Run(requests, time.perf_counter() + 3600)
    connections = await _connect(port, clients, run)
    cpu, began = time.process_time(), time.perf_counter()
    run.until = began + seconds
    for connection in connections:
        run.next(connection, began)
    await asyncio.wait_for(run.ended.wait(), seconds + REQUEST_TIMEOUT_S)
    return _done(run, connections, began, cpu)


async def opened(
    port: int, requests: Iterator[bytes], *, rate: float, seconds: float, clients: int = 128
) -> Outcome:
    """So many requests a second for so long, evenly spaced, answered or not."""
    run = _Run(requests, 0.0)
    run.open_loop = True
    run.idle = await _connect(port, clients, run)
    connections = list(run.idle)
    cpu, began = time.process_time(), time.perf_counter()
    for number in range(int(rate * seconds)):
        planned = began + number / rate
        if (ahead := planned - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        run.plan(next(requests), planned)
    run.planned_all = True
    if run.active:
        await asyncio.wait_for(run.ended.wait(), REQUEST_TIMEOUT_S)
    return _done(run, connections, began, cpu)


def run(load: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Runs a load to its end, on a fast event loop."""
    return uvloop.run(load)


async def _connect(port: int, clients: int, run: _Run) -> list[_Client]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(clients):
        _, client = await loop.create_connection(lambda: _Client(run), "127.0.0.1", port)
        made.append(client)
    return made


def _done(run: _Run, connections: list[_Client], began: float, cpu: float) -> Outcome:
    run.ended.set()
    run.outcome.seconds = time.perf_counter() - began
    run.outcome.client_cpu = time.process_time() - cpu
    for connection in connections:
        connection.transport.close()
    return run.outcome
