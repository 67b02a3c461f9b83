"""Traces for OpenTelemetry: a span for each request, each fold of delivered messages, and each publishing of effects.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set; the other `OTEL_...` variables are the SDK's own.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from headrace.agents.tracing import UNTRACED, Tracer
from headrace.app.request_id import Handler, current
from headrace.learning.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

STOP_SECONDS = 1.0
"""How long the last spans may take to be sent when a worker stops."""

FAILED = 500
"""The first status of an answer that counts as an error of the server."""


class OpenTelemetry:
    """Makes spans of OpenTelemetry, which a thread sends to the collector.

    Parameters
    ----------
    provider
        Makes the tracer, and sends its spans.
    """

    def __init__(self, provider: "TracerProvider"):
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.provider = provider
        self._tracer = provider.get_tracer("headrace")
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """Return a span that lasts as long as the block."""
        return self._tracer.start_as_current_span(name, attributes=attributes)

    @web.middleware
    async def trace(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request within a span."""
        resource = request.match_info.route.resource
        route = "" if resource is None else resource.canonical
        with self.span_of(request.method, route, request.headers) as note_status:
            response = await handler(request)
            note_status(response.status)
            return response

    @contextmanager
    def span_of(self, method: str, route: str, headers: Mapping[str, str]) -> Iterator[Callable[[int], None]]:
        """Open the span of a request, within the one that its `traceparent` names, for the block, which calls what it gets with the status."""
        from opentelemetry.trace import SpanKind, StatusCode

        attributes = {"http.request.method": method, "http.route": route, "headrace.request_id": current() or ""}
        with self._tracer.start_as_current_span(
            f"{method} {route}".strip(),
            context=self._propagator.extract(headers),
            kind=SpanKind.SERVER,
            attributes=attributes,
        ) as span:

            def note_status(status: int) -> None:
                span.set_attribute("http.response.status_code", status)
                if status >= FAILED:
                    span.set_status(StatusCode.ERROR)

            yield note_status

    async def stop(self) -> None:
        """Send the last spans, for a second at most: the collector may be away."""
        await asyncio.wait([asyncio.create_task(asyncio.to_thread(self.provider.shutdown))], timeout=STOP_SECONDS)


def make_tracing() -> OpenTelemetry | None:
    """Make the tracing that the environment asks for; None if it asks for none. SettingsError if it is not installed."""
    if not any(map(os.environ.get, ENDPOINTS)) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        what = f"traces are asked for ({' or '.join(ENDPOINTS)}), and OpenTelemetry is not installed."
        raise SettingsError(what, "pip install 'headrace[otel]', or unset the variable.") from None
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "headrace"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetry(provider)


def tracer_of(tracing: OpenTelemetry | None) -> Tracer:
    """Return the tracer for shards."""
    return UNTRACED if tracing is None else tracing
