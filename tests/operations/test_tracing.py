"""One trace shows a request, the gateway call it makes, and, by a link, the job it wakes."""

import asyncio
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from market.app import assemble, web_app
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.kit.observability.tracing import Tracing, add_trace_ids, path_template
from market.outside import portone
from market.settings import Settings, from_environment
from tests.operations.running import running
from tests.operations.slow_gateway import SlowGateway, slow_gateway
from tests.support.clock import MovableClock
from tests.support.web import Client

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def gateway_side() -> Iterator[SlowGateway]:
    """A V1 gateway that answers at once."""
    with slow_gateway() as gateway:
        gateway.let_go.set()
        yield gateway


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracing(provider)


@pytest.fixture
async def traced(
    settings: Settings,
    db: Database,
    clock: MovableClock,
    gateway_side: SlowGateway,
    tracing: Tracing,
    tmp_path: Path,
) -> Any:
    """A client of a market whose requests and gateway calls are traced."""
    env = {"MARKET_DATA": str(tmp_path), "PORTONE_V1_API_URL": gateway_side.url}
    settings = from_environment({**env, "MARKET_SECRET": "x" * 32})
    async with httpx.AsyncClient() as to_v1, httpx.AsyncClient() as to_v2:
        tracing.instrument_client(to_v1, "V1")
        gateways = portone(settings, to_v1, to_v2, clock)
        market = assemble(
            settings, db, gateways, clock, TimeOrderedIds(), trace_headers=tracing.trace_headers
        )
        app = web_app(lambda: nullcontext(market), tracing)
        app.state.market = market
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # the same ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            yield Client(http)


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


async def begun(client: Client, spans: InMemorySpanExporter) -> tuple[Any, Any]:
    seller, buyer = await client.member("s"), await client.member("b")
    trade = await buyer.buy((await seller.product())["id"])
    spans.clear()
    return trade, await buyer.post(f"/api/trades/{trade['id']}/payment", {"method": "CARD"})


async def test_one_trace_shows_the_request_and_its_gateway_calls(
    traced: Client, spans: InMemorySpanExporter, gateway_side: SlowGateway
) -> None:
    trade, payment = await begun(traced, spans)
    request = named(spans, "POST /api/trades/{trade_id}/payment")
    call = named(spans, "POST /payments/prepare")
    login = named(spans, "POST /users/getToken")
    assert request.context is not None
    for inner in (call, login):
        assert inner.context is not None
        assert inner.context.trace_id == request.context.trace_id
        assert inner.parent is not None
        assert inner.parent.span_id == request.context.span_id
        assert inner.kind is SpanKind.CLIENT
    assert call.attributes is not None
    assert call.attributes["gateway.version"] == "V1"
    assert call.attributes["gateway.path_template"] == "/payments/prepare"
    assert call.attributes["market.payment_id"] == payment["id"]
    assert request.attributes is not None
    assert request.attributes["market.trade_id"] == trade["id"]
    assert request.attributes["market.payment_id"] == payment["id"]
    assert request.attributes["http.status_code"] == 201
    trace_id = format(request.context.trace_id, "032x")
    assert all(trace_id in headers["traceparent"] for headers in gateway_side.headers)


async def test_a_span_holds_no_secret_no_query_and_no_unknown_path(
    traced: Client, spans: InMemorySpanExporter
) -> None:
    _, payment = await begun(traced, spans)
    buyer = await traced.member("c")
    for path in ("/api/products?q=whoever", "/no/such/thing", "/docs?token=whoever"):
        await buyer.call("GET", path, User_Agent="my agent")
    await traced.call("GET", f"/api/payments/{payment['id']}", Authorization="Bearer a.b.c")
    written = "".join(span.to_json() for span in spans.get_finished_spans())
    secrets = (buyer.token, buyer.refresh_token, buyer.email, "whoever", "a.b.c", "such")
    for secret in (*secrets, "my agent", "sandbox-v1-secret", "Bearer", "127.0.0.1:123"):
        assert secret
        assert secret not in written


async def test_a_job_is_linked_to_the_webhook_that_woke_it(
    traced: Client, spans: InMemorySpanExporter, tracing: Tracing, db: Database
) -> None:
    _, payment = await begun(traced, spans)
    hint = {"imp_uid": "imp_1", "merchant_uid": payment["id"]}
    await traced.post("/webhooks/portone/v1", hint)
    headers = await db.fetch_value("SELECT headers FROM pgqueuer")
    with tracing.job("hints", httpx.Response(200, text=headers).json()):
        pass
    webhook, job = named(spans, "POST /webhooks/portone/v1"), named(spans, "job hints")
    assert webhook.context is not None
    (link,) = job.links
    assert link.context.trace_id == webhook.context.trace_id
    assert link.context.span_id == webhook.context.span_id
    assert job.parent is None


async def test_lines_of_the_log_name_their_span(
    traced: Client, spans: InMemorySpanExporter
) -> None:
    with structlog.testing.capture_logs(processors=[add_trace_ids]) as lines:
        await traced.get("/api/products")
    (line,) = lines
    context = named(spans, "GET /api/products").context
    assert context is not None
    assert line["trace_id"] == format(context.trace_id, "032x")
    assert line["span_id"] == format(context.span_id, "016x")


def test_ids_are_no_part_of_a_path_template() -> None:
    assert path_template("/v1/payments/imp_123456") == "/v1/payments/{id}"
    assert path_template("/payments/p%2F1/virtual-account/close") == (
        "/payments/{id}/virtual-account/close"
    )
    assert path_template("/payments/findAll/0f") == "/payments/findAll/{id}"


@pytest.mark.parametrize(
    ("env", "on"),
    [({}, False), (COLLECTOR, True), ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False)],
)
def test_it_is_on_where_a_collector_is_named(tmp_path: Path, env: dict[str, str], on: bool) -> None:
    assert from_environment({"MARKET_DATA": str(tmp_path), **env}).tracing is on


def test_where_it_is_off_it_is_not_even_loaded() -> None:
    program = "import sys, market.server, market.worker; print('opentelemetry' in sys.modules)"
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    # Our own interpreter on our own words.
    said = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True)  # noqa: S603
    assert said.stdout == b"False\n"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A little OTLP/HTTP receiver: its URL, and what it was sent."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            zipped = self.headers.get("content-encoding") == "gzip"
            received.append(
                self.path.encode() + b"\n" + (gzip.decompress(body) if zipped else body)
            )
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the test looks at what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_server_sends_its_traces_to_the_collector(dsn: str, tmp_path: Path) -> None:
    with (
        collector() as (url, received),
        running("serve", dsn, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url) as server,
    ):
        assert await asyncio.to_thread(server.answers, "/api/products?q=whoever") == 200
        server.stop()
        assert await asyncio.to_thread(server.ended) == 0
        lines = [line for line in server.lines() if line.get("path") == "/api/products"]
    sent = b"".join(received)
    assert b"/v1/traces\n" in sent
    assert b"GET /api/products" in sent
    assert b"wanted-market" in sent
    assert b"whoever" not in sent
    assert bytes.fromhex(lines[0]["trace_id"]) in sent
