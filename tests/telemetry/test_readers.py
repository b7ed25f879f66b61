"""Traces read back from Jaeger and Zipkin."""

import contextlib
import json
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from meshconsole.cli.up import free_port
from telemetry import forward, readers, spans
from telemetry.readers.base import Unavailable
from telemetry.spans import Origin

from .test_traces import request

REVIEWS, RATINGS = Origin("reviews", "default", "reviews-v1", "v1"), Origin("ratings", "other", "ratings-v1", "v1")
JAR = Path.home() / ".m2/repository/io/zipkin/zipkin-server/3.5.1/zipkin-server-3.5.1-exec.jar"
ID = f"{7:032x}"


@pytest.fixture(scope="module")
def zipkin(tmp_path_factory):
    """A real Zipkin with its store in memory."""
    assert JAR.exists() and shutil.which("java"), "Zipkin is missing: .ci/packages fetches it"
    port, log = free_port(), tmp_path_factory.mktemp("zipkin") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["java", "-Xmx256m", "-jar", str(JAR), f"--server.port={port}", "--server.address=127.0.0.1"], stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health", trust_env=False).is_success:
                    break
            assert process.poll() is None, log.read_text()[-3000:]
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_what_is_sent_to_a_real_zipkin_is_found_there_and_read_back(zipkin, settings):
    settings.ZIPKIN_URL, settings.JAEGER_URL = zipkin, ""
    now = time.time()
    begun = int((now - 5) * 1e6) * 1000
    made = request((7, 1, 0, "GET /reviews", 0, 50, False, {"http.status_code": "200"}))
    called = request((7, 2, 1, "GET /ratings", 10, 40, True, {"response_flags": "FI"}))
    for each in (made, called):
        for span in each.resource_spans[0].scope_spans[0].spans:
            length = span.end_time_unix_nano - span.start_time_unix_nano
            span.start_time_unix_nano, span.end_time_unix_nano = begun, begun + length
    pieces = [*spans.pieces(made, REVIEWS), *spans.pieces(called, RATINGS)]
    target = forward.Target(f"{zipkin}/api/v2/spans", forward.zipkin_v2)
    target.put(pieces)
    end = time.monotonic() + 20
    while (found := readers.trace(ID, None)) is None or len(found[1].nodes) < 2:
        assert time.monotonic() < end, "Zipkin does not show the trace"
        time.sleep(0.2)
    target.end()
    name, trace = found
    assert name == "Zipkin" and [n.span.origin for n in trace.nodes] == [REVIEWS, RATINGS]
    root, child = (n.span for n in trace.nodes)
    assert child.parent == root.id and child.error and not root.error and child.attributes["response_flags"] == "FI"
    assert root.duration == pytest.approx(50_000, abs=2)
    listed = readers.search("Zipkin", now - 60, now + 60, None, service="reviews")
    assert [(t.id, t.service, t.spans, t.errors) for t in listed.traces] == [(ID, "reviews", 2, 1)]


JAEGER = {
    "data": [
        {
            "traceID": "7",
            "spans": [
                {
                    "traceID": "7", "spanID": "1", "operationName": "ingress", "references": [], "startTime": 1_800_000_000_000_000, "duration": 50_000,
                    "tags": [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "http.method", "type": "string", "value": "GET"},
                             {"key": "http.url", "type": "string", "value": "http://reviews/reviews/1"}],
                    "logs": [{"timestamp": 1_800_000_000_000_500, "fields": [{"key": "event", "type": "string", "value": "read"}]}],
                    "processID": "p1",
                },
                {
                    "traceID": "7", "spanID": "2", "operationName": "GET /ratings", "references": [{"refType": "CHILD_OF", "traceID": "7", "spanID": "1"}],
                    "startTime": 1_800_000_000_010_000, "duration": 30_000, "tags": [{"key": "error", "type": "bool", "value": True}], "logs": [],
                    "processID": "p2",
                },
            ],
            "processes": {
                "p1": {"serviceName": "reviews", "tags": [{"key": "service.namespace", "type": "string", "value": "default"},
                                                          {"key": "service.instance.id", "type": "string", "value": "reviews-v1"}]},
                "p2": {"serviceName": "ratings", "tags": [{"key": "service.namespace", "type": "string", "value": "other"}]},
            },
        }
    ],
    "total": 0, "limit": 0, "offset": 0, "errors": None,
}  # fmt: skip


@pytest.fixture
def jaeger(settings):
    """A stand-in for Jaeger's query service, which no registry has as a program: it answers in the documented JSON of its HTTP API."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            known = self.path.startswith((f"/api/traces/{ID}", "/api/traces?"))
            body = json.dumps(JAEGER if known else {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}).encode()
            self.send_response(200 if known else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.JAEGER_URL, settings.ZIPKIN_URL = f"http://127.0.0.1:{server.server_port}", ""
    yield asked
    server.shutdown()
    server.server_close()


def test_a_trace_is_read_back_from_jaeger(jaeger):
    found = readers.trace(ID, None)
    assert found is not None
    root, child = (n.span for n in found[1].nodes)
    assert (root.name, root.kind, root.origin.workload, root.events[0].name) == ("GET /reviews/1", "server", "reviews-v1", "read")
    assert child.error and child.parent == root.id and child.origin.namespace == "other"
    assert readers.trace(f"{8:032x}", None) is None


def test_a_search_asks_jaeger_in_its_units(jaeger):
    [listed] = readers.search("Jaeger", 1_799_999_000, 1_800_001_000, None, service="reviews", min_ms=5).traces
    assert (listed.id, listed.name, listed.spans, listed.errors, listed.ms) == (ID, "GET /reviews/1", 2, 1, 50.0)
    assert jaeger[-1] == "/api/traces?service=reviews&start=1799999000000000&end=1800001000000000&limit=100&minDuration=5000us"


def test_spans_of_other_namespaces_keep_their_times_and_nothing_else(jaeger):
    found = readers.trace(ID, {"default"})
    assert found is not None
    assert [n.span.name for n in found[1].nodes] == ["GET /reviews/1", "hidden"]
    assert readers.trace(ID, {"elsewhere"}) is None


def test_a_backend_that_is_away_says_so_and_hides_nothing(settings):
    settings.JAEGER_URL, settings.ZIPKIN_URL = f"http://127.0.0.1:{free_port()}", ""
    assert readers.trace(ID, None) is None
    with pytest.raises(Unavailable, match="Jaeger does not answer"):
        readers.search("Jaeger", 0, 1, None, service="x")
