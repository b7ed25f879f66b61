"""Traces over REST: applications' spans in by OTLP, traces out by search and id."""

import gzip
import time

import pytest

from telemetry.spans import ExportTraceServiceRequest

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROTOBUF = "application/x-protobuf"


def request(namespace: str = "default", trace: str = TRACE) -> bytes:
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    for key, value in (("service.name", "shop"), ("service.namespace", namespace)):
        resource.resource.attributes.add(key=key).value.string_value = value
    now = time.time_ns()
    span = resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(trace),
        span_id=bytes.fromhex(SPAN),
        name="buy",
        kind=2,
        start_time_unix_nano=now - 5_000_000,
        end_time_unix_nano=now,
    )
    span.attributes.add(key="cart").value.string_value = "42"
    return made.SerializeToString()


@pytest.mark.parametrize("packed", [False, True])
def test_an_applications_spans_are_found_again(alice, packed):
    body = gzip.compress(request()) if packed else request()
    more = {"HTTP_CONTENT_ENCODING": "gzip"} if packed else {}
    answer = alice.generic("POST", "/v1/traces", body, content_type=PROTOBUF, **more)
    assert answer.status_code == 200 and answer["content-type"] == PROTOBUF
    found = alice.get(f"/api/v1/traces/{TRACE}").json()
    assert [(s["service"], s["name"], s["kind"], s["reporter"]) for s in found["spans"]] == [("shop", "buy", "server", "application")]
    assert found["durationMs"] == pytest.approx(5, abs=0.01)
    assert [t["id"] for t in alice.get("/api/v1/traces?service=shop&tag=cart=42").json()["items"]] == [TRACE]
    assert alice.get("/api/v1/traces?tag=cart=43").json()["items"] == []


def test_json_is_taken_too(alice):
    now = time.time_ns()
    span = {"traceId": TRACE, "spanId": SPAN, "name": "buy", "startTimeUnixNano": str(now - 10**6), "endTimeUnixNano": str(now)}
    answer = alice.json("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert answer.status_code == 200 and answer.json() == {}
    assert alice.get(f"/api/v1/traces/{TRACE}").json()["spans"][0]["service"] == "unknown_service"


def test_spans_of_a_namespace_that_is_not_ones_own_are_refused_and_said_so(bob):
    answer = bob.generic("POST", "/v1/traces", request("payments") + request("default", "1" * 32), content_type=PROTOBUF)
    assert answer.status_code == 200 and b"may not write" in answer.content
    assert bob.get(f"/api/v1/traces/{TRACE}").status_code == 404
    assert bob.get("/api/v1/traces/" + "1" * 32).status_code == 200


@pytest.mark.parametrize("body,kind", [(b"\xff\xff", PROTOBUF), (b"{", "application/json"), (b'{"resourceSpans": 7}', "application/json")])
def test_what_are_no_spans_is_refused(alice, body, kind):
    assert alice.generic("POST", "/v1/traces", body, content_type=kind).status_code == 400


@pytest.mark.parametrize("query", ["tag=x", "order=odd", "minMs=x", "window=soon"])
def test_a_search_that_makes_no_sense_is_refused(alice, query):
    assert alice.get(f"/api/v1/traces?{query}").status_code == 400
