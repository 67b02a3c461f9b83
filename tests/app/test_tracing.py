"""A worker with an OTLP endpoint sends spans of requests, folds and publishing; one without sends nothing and imports nothing."""

import contextlib
import gzip
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import harness
import pytest

from headrace.agents.tracing import UNTRACED
from headrace.app.request_id import HEADER
from headrace.app.tracing import ENDPOINTS, make_tracing, tracer_of
from headrace.learning.errors import SettingsError

pytest.importorskip("opentelemetry.sdk")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextlib.contextmanager
def receiving():
    """A receiver of OTLP over HTTP: its address, and the spans that it got."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {one.key: one.value.string_value for one in of_resource.resource.attributes}["service.name"]
                spans.extend((self.path, service, span) for scope in of_resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attributes(span):
    return {
        one.key: one.value.string_value if one.value.HasField("string_value") else one.value.int_value
        for one in span.attributes
    }


def test_a_worker_sends_its_spans(broker, tmp_path, monkeypatch):
    name = f"traced-{uuid.uuid4().hex[:8]}"
    with receiving() as (address, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        settings = f'[tasks.{name}]\nkind = "binary"\npredictions = true\n'
        worker = harness.Worker(tmp_path, broker, settings).start()
        try:
            worker.wait_ready()
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", HEADER: "r-1"}
            sample = {"features": {"x": 1.0}, "label": True}
            assert worker.post(f"/v1/{name}/samples", sample, headers=headers)[0] == 202
            assert worker.post(f"/v1/{name}/predict", {"features": {"x": "no" * 9, "y": []}})[0] == 422

            def found():
                return {span.name for _, _, span in list(spans)} >= {"fold", "publish", "POST /v1/{task}/samples"}

            harness.wait_for(found, 30, lambda: sorted({span.name for _, _, span in spans}))
        finally:
            worker.stop()
    assert {(path, service) for path, service, _ in spans} == {("/v1/traces", "headrace")}
    by_name = {span.name: span for _, _, span in spans}
    request = by_name["POST /v1/{task}/samples"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request)["headrace.request_id"] == "r-1"
    assert attributes(request)["http.response.status_code"] == 202
    refused = by_name["POST /v1/{task}/predict"]
    assert attributes(refused)["http.response.status_code"] == 422
    assert refused.parent_span_id == b""
    folds = [span for _, _, span in spans if span.name == "fold"]
    assert all(attributes(fold)["task"] == name for fold in folds)
    published = [span for _, _, span in spans if span.name == "publish" and span.parent_span_id]
    assert {span.parent_span_id for span in published} <= {fold.span_id for fold in folds}
    assert published


def test_without_an_endpoint_nothing_is_made_or_imported(monkeypatch):
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert make_tracing() is None
    assert tracer_of(None) is UNTRACED
    assert UNTRACED.span("fold", messages=1) is UNTRACED.span("publish")
    code = "import sys, headrace.app.worker; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=harness.ROOT).returncode == 0


def test_an_endpoint_without_the_extra_is_refused(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"headrace\[otel\]"):
        make_tracing()
