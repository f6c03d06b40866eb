"""Traces (OpenTelemetry): a request, the gateway calls it makes, and the job it wakes.

Imported only where tracing is on, so that where it is off it costs nothing at all. Spans hold
methods, path templates, statuses and ids: no query, no header, no body, no address of a client.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Self

import httpx
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor, RequestInfo
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind

from market.shared import log_context

# All that the instrumentation is shown of a request's headers: where it comes from.
_SHOWN = {b"traceparent", b"tracestate"}
# Words of the gateways' paths. Whatever else stands in one is an id, and not shown.
_WORDS = frozenset(
    {
        *("payments", "prepare", "findAll", "cancel", "users", "getToken", "vbanks"),
        *("status", "all", "pre-register", "confirm", "instant", "virtual-account", "close"),
        *("v1", "v2"),
    }
)


class Tracing:
    """Where spans go, and what makes them."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("market")

    @classmethod
    def to_collector(cls, service: str) -> Self:
        """To the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, in batches. The other
        variables of OpenTelemetry (headers, sampler, resource attributes) hold as well."""
        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def close(self) -> None:
        """Sends what is left. Blocks while it does."""
        self._provider.shutdown()

    def instrument_app(self, app: ASGIApp) -> ASGIApp:
        """The same application, with a span for every request."""

        async def shown_less(scope: Scope, receive: Receive, send: Send) -> None:
            async def inner(_: Any, receive: Receive, send: Send) -> None:
                async def naming(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        _name(trace.get_current_span(), scope)
                    await send(message)

                await app(scope, receive, naming)

            headers = [(name, value) for name, value in scope["headers"] if name in _SHOWN]
            less = {**scope, "headers": headers, "query_string": b"", "client": None, "path": "/"}
            middleware = OpenTelemetryMiddleware(
                inner,
                tracer_provider=self._provider,
                exclude_spans=["receive", "send"],
                default_span_details=lambda _: (str(scope.get("method", "")), {}),
            )
            await middleware(less, receive, send)  # type: ignore[arg-type] # the same ASGI

        return shown_less

    def instrument_client(self, client: httpx.AsyncClient, version: str) -> None:
        """Gives every call of this client a span."""

        async def told(span: Span, request: RequestInfo) -> None:
            template = path_template(_path(request))
            span.update_name(f"{request.method.decode()} {template}")
            span.set_attributes(
                {
                    "http.url": template,  # as it is called there: with the query it would be more
                    "gateway.version": version,
                    "gateway.path_template": template,
                    **ids(),
                }
            )

        HTTPXClientInstrumentor().instrument_client(
            client, tracer_provider=self._provider, request_hook=told
        )

    @staticmethod
    def trace_headers() -> dict[str, str]:
        """What tells a job which trace it was woken in."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier

    @contextmanager
    def job(self, name: str, headers: Mapping[str, Any] | None = None) -> Iterator[None]:
        """A job's span; linked to the request that woke it, for one job may serve many."""
        cause = trace.get_current_span(propagate.extract(headers or {})).get_span_context()
        links = [Link(cause)] if cause.is_valid else []
        with self._tracer.start_as_current_span(f"job {name}", kind=SpanKind.CONSUMER, links=links):
            yield


def add_trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For logs: each line names the span it was written in."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event


def ids() -> dict[str, str]:
    """The trade and payment this is about, as in the logs."""
    known = log_context.ids()
    return {
        f"market.{name}": known[name]
        for name in ("trade_id", "payment_id", "request_id", "job")
        if name in known
    }


def path_template(path: str) -> str:
    """A gateway's path without its ids."""
    return "/".join(part if part in _WORDS or not part else "{id}" for part in path.split("/"))


def _path(request: RequestInfo) -> str:
    url = request.url
    raw = url.raw_path if isinstance(url, httpx.URL) else url[3]
    return raw.partition(b"?")[0].decode("ascii", "replace")


def _name(span: Span, scope: Scope) -> None:
    """By its route, as soon as that is known; a path that matches none is not repeated."""
    route = str(scope.get("path_template") or "")
    span.update_name(f"{scope.get('method', '')} {route}".strip())
    span.set_attributes({"http.route": route, "http.target": route, "http.url": route, **ids()})
