"""Spans in, traces out: pure parts, the store, the search, and what is dropped when there is no room."""

import http.server
import threading

import orjson
import pytest

from telemetry import forward, spans, spanstore, traces
from telemetry.assemble import assemble
from telemetry.keeping import Kept, surplus
from telemetry.meaning import PolicyName, meaning
from telemetry.models import SpanPiece, TraceSummary
from telemetry.spans import Origin, Span
from telemetry.tasks import delete_traces

NOW = 1_800_000_000
REVIEWS, RATINGS = Origin("reviews", "default", "reviews-v1", "v1", True), Origin("ratings", "other", "ratings-v1", "v1", True)


def request(*given, service: str = "") -> spans.ExportTraceServiceRequest:
    """(trace, id, parent, name, start ms, end ms, error, tags)"""
    made = spans.ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    if service:
        resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    for trace, id, parent, name, start, end, error, tags in given:
        s = scope.spans.add(
            trace_id=trace.to_bytes(16, "big"), span_id=id.to_bytes(8, "big"), name=name, kind=3,
            start_time_unix_nano=int((NOW + start / 1000) * 1e9), end_time_unix_nano=int((NOW + end / 1000) * 1e9),
        )  # fmt: skip
        if parent:
            s.parent_span_id = parent.to_bytes(8, "big")
        if error:
            s.status.code = spans.ERROR
        for key, value in tags.items():
            s.attributes.add(key=key).value.string_value = value
    return made


def put(origin: Origin, *given) -> None:
    spanstore.store(spans.pieces(request(*given), origin), now=NOW + 60)


def hex_(trace: int) -> str:
    return f"{trace:032x}"


# --- pure ---


def test_bodies_put_together_are_one_request_again():
    a = request((1, 1, 0, "a", 0, 10, False, {})).SerializeToString()
    b = request((1, 2, 1, "b", 2, 5, False, {})).SerializeToString()
    [piece] = spans.pieces(spans.parse(a + b), REVIEWS)
    assert piece.spans == 2 and [s.name for s in spans.read(REVIEWS, piece.body)] == ["a", "b"]


def test_what_envoy_says_of_nothing_is_left_out_and_its_span_is_called_by_method_and_path():
    body = request((1, 1, 0, "ingress", 0, 1, False, {"http.method": "GET", "http.url": "http://a:1/x/y?z=1", "response_flags": "-"}))
    [piece] = spans.pieces(body, REVIEWS)
    [span] = spans.read(REVIEWS, piece.body)
    assert span.name == piece.root == "GET /x/y" and "response_flags" not in span.attributes


def test_spans_without_valid_ids_are_left_out():
    body = request((1, 1, 0, "a", 0, 1, False, {}))
    body.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    assert spans.pieces(body, REVIEWS) == []


def test_otlp_json_has_hexadecimal_ids():
    text = orjson.dumps({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "buy", "kind": 2,
        "startTimeUnixNano": str(NOW * 10**9), "endTimeUnixNano": str(NOW * 10**9 + 10**6)}]}]}]})  # fmt: skip
    [piece] = spans.pieces(spans.parse_json(text))
    assert piece.trace == "0af7651916cd43dd8448eb211c80319c" and piece.origin.service == "shop" and piece.end - piece.start == 1000
    with pytest.raises(spans.Malformed):
        spans.parse_json(b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}')
    with pytest.raises(spans.Malformed):
        spans.parse(b"\xff\xff")


def span(id: str, parent: str, start: int, end: int) -> Span:
    return Span("t", id, parent, id, "", start, end, False, "", REVIEWS)


def critical(*given: Span) -> dict[str, list[tuple[int, int]]]:
    found = assemble("t", given)
    assert found is not None
    return {n.span.id: n.critical for n in found.nodes}


def test_the_critical_path_goes_through_the_child_that_ended_last():
    found = critical(span("root", "", 0, 100), span("a", "root", 10, 40), span("b", "root", 12, 90))
    assert found == {"root": [(0, 12), (90, 100)], "a": [], "b": [(12, 90)]}


def test_calls_one_after_the_other_are_both_on_the_critical_path_though_the_first_span_ends_late():
    found = critical(span("root", "", 0, 100), span("a", "root", 10, 42), span("b", "root", 40, 90))
    assert found["a"] == [(10, 40)] and found["b"] == [(40, 90)] and found["root"] == [(0, 10), (90, 100)]


def test_a_child_whose_clock_differs_counts_as_far_as_it_lies_in_its_parent():
    assert critical(span("root", "", 0, 100), span("a", "root", 50, 130)) == {"root": [(0, 50)], "a": [(50, 100)]}


def test_spans_whose_parent_did_not_come_are_roots_and_circles_end():
    found = assemble("t", [span("a", "gone", 0, 5), span("b", "c", 1, 2), span("c", "b", 1, 3)])
    assert found is not None and {r.span.id for r in found.roots} >= {"a"} and len(found.nodes) == 3


def test_a_denial_names_its_policy_and_flags_are_words():
    attributes = {"response_flags": "UAEX,URX", "meshconsole.details": "rbac_access_denied_matched_policy[ns[foo]-policy[deny]-rule[0]]",
                  "meshconsole.policy": "PeerAuthentication foo/default"}  # fmt: skip
    said = meaning(Span("t", "1", "", "x", "", 0, 1, False, "", REVIEWS, attributes))
    assert said.denied and said.policies == (PolicyName("AuthorizationPolicy", "foo", "deny"),)
    assert any("retries" in word for word in said.words)


@pytest.mark.parametrize(
    ("tried", "words"), [("1", ()), ("2", ("tried 2 times: 1 retry",)), ("3", ("tried 3 times: 2 retries",)), ("-", ())]
)
def test_a_span_that_was_tried_again_says_so(tried, words):
    assert meaning(Span("t", "1", "", "x", "", 0, 1, False, "", REVIEWS, {"meshconsole.attempts": tried})).words == words


def test_errors_and_the_slow_outlive_ordinary_traces():
    all_ = [Kept(str(n), n, 10 if n % 25 else 500, int(n == 3), 10, ("a",)) for n in range(100)]
    gone = surplus(all_, 500)
    assert "3" not in gone and "0" not in gone and "25" not in gone
    assert gone[0] == "1" and 1000 - 10 * len(gone) <= 450
    assert surplus(all_, 2000) == []


# --- the store ---


@pytest.mark.django_db
def test_spans_of_two_senders_are_one_trace_with_the_roots_name():
    put(RATINGS, (7, 2, 1, "GET /ratings", 3, 8, True, {}))
    put(REVIEWS, (7, 1, 0, "GET /reviews", 0, 20, False, {}))
    [one] = traces.search(NOW - 10, NOW + 10).traces
    assert (one.name, one.service, one.spans, one.errors, one.duration) == ("GET /reviews", "reviews", 2, 1, 20_000)
    found = traces.trace(hex_(7))
    assert found is not None and [n.span.name for n in found.nodes] == ["GET /reviews", "GET /ratings"] and found.nodes[1].depth == 1


@pytest.mark.django_db
def test_the_search_asks_for_service_duration_errors_and_tags():
    put(REVIEWS, (1, 1, 0, "a", 0, 5, False, {"http.status_code": "200"}))
    put(REVIEWS, (2, 1, 0, "b", 10, 500, False, {"http.status_code": "503"}))
    put(RATINGS, (3, 1, 0, "c", 20, 30, True, {}))

    def ids(**where) -> list[int]:
        return [int(t.id, 16) for t in traces.search(NOW - 10, NOW + 10, **where).traces]

    assert ids() == [3, 2, 1] and ids(order="slowest") == [2, 3, 1]
    assert ids(service="ratings") == [3] and ids(min_ms=100) == [2] and ids(max_ms=6) == [1] and ids(errors=True) == [3]
    assert ids(tags={"http.status_code": "503"}) == [2] and ids(limit=1) == [3]
    assert traces.search(NOW - 10, NOW + 10, limit=1).more
    assert ids(namespaces=["default"]) == [2, 1] and ids(namespaces=[]) == []


@pytest.mark.django_db
def test_spans_of_namespaces_that_one_may_not_see_keep_their_times_only():
    put(REVIEWS, (7, 1, 0, "GET /reviews", 0, 20, False, {}))
    put(RATINGS, (7, 2, 1, "GET /secret", 3, 8, False, {"http.url": "http://x/secret"}))
    found = traces.trace(hex_(7), ["default"])
    assert found is not None and [n.span.name for n in found.nodes] == ["GET /reviews", "hidden"]
    assert not found.nodes[1].span.attributes and found.nodes[1].span.origin.service == "hidden"
    [one] = traces.search(NOW - 10, NOW + 10, namespaces=["default"]).traces
    assert ("", "hidden", 1) in one.services
    assert traces.trace(hex_(7), ["third"]) is None
    # Nor does a search tell what stands in them.
    secret = {"tags": {"http.url": "http://x/secret"}}
    assert traces.search(NOW - 10, NOW + 10, **secret).traces
    assert not traces.search(NOW - 10, NOW + 10, namespaces=["default"], **secret).traces
    # Nor that they are there.
    for unseen in ({"service": "ratings"}, {"workload": RATINGS.workload}):
        assert traces.search(NOW - 10, NOW + 10, **unseen).traces
        assert not traces.search(NOW - 10, NOW + 10, namespaces=["default"], **unseen).traces
        assert traces.heat(NOW - 10, NOW + 10, 4, **unseen) and not traces.heat(NOW - 10, NOW + 10, 4, namespaces=["default"], **unseen)


@pytest.mark.django_db
def test_one_senders_nul_costs_nobodys_spans():
    put(Origin("a\0b", "default", "w", "v1", proxy=False), (8, 1, 0, "GET /\0", 0, 20, False, {}))
    put(REVIEWS, (9, 1, 0, "GET /", 0, 20, False, {}))
    assert {(t.service, t.name) for t in traces.search(NOW - 10, NOW + 10).traces} == {("ab", "GET /"), ("reviews", "GET /")}


@pytest.mark.django_db
def test_the_old_go_and_then_what_there_is_no_room_for():
    for n in range(30):
        put(REVIEWS, (n + 1, 1, 0, "a", n * 100, n * 100 + 5, n == 0, {}))
    size = SpanPiece.objects.count()
    assert size == 30
    assert delete_traces(NOW + 10, 9.0, 1 << 30) == 10
    room = sum(TraceSummary.objects.values_list("size", flat=True)) // 2
    delete_traces(NOW + 10, 3600, room)
    assert sum(TraceSummary.objects.values_list("size", flat=True)) <= room
    assert set(SpanPiece.objects.values_list("trace", flat=True)) == set(TraceSummary.objects.values_list("id", flat=True))


# --- forwarding ---


class Backend:
    """Takes what it is sent; answers with the statuses it was given first."""

    def __init__(self, *statuses: int):
        self.bodies: list[tuple[str, bytes]] = []
        waiting, self.got = list(statuses), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = waiting.pop(0) if waiting else 200
                if status == 200:
                    outer.bodies.append((self.path, body))
                    outer.got.set()
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.mark.parametrize("encode", [forward.otlp, forward.zipkin_v2])
def test_spans_are_sent_on_though_the_backend_stumbles(encode):
    backend = Backend(503, 429)
    target = forward.Target(backend.url, encode, pause=0.01)
    pieces = spans.pieces(request((7, 1, 0, "GET /reviews", 0, 20, True, {"http.method": "GET"})), REVIEWS)
    target.put(pieces)
    assert backend.got.wait(10)
    target.end()
    backend.server.shutdown()
    backend.server.server_close()
    [(_, body)] = backend.bodies
    if encode is forward.otlp:
        [resource] = spans.parse(body).resource_spans
        assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "reviews"
        assert resource.scope_spans[0].spans[0].name == "GET /reviews"
    else:
        [one] = orjson.loads(body)
        assert one["traceId"] == hex_(7) and one["kind"] == "CLIENT" and one["duration"] == 20_000
        assert one["localEndpoint"] == {"serviceName": "reviews"} and one["tags"]["error"]


def test_a_backend_that_is_away_costs_the_oldest_spans_not_memory():
    target = forward.Target("http://127.0.0.1:9", forward.otlp, most=1000, pause=0.01)
    for n in range(100):
        target.put(spans.pieces(request((n + 1, 1, 0, "x" * 50, 0, 1, False, {})), REVIEWS))
    target.end()
    assert target.dropped > 50 and target._size <= 1000


@pytest.mark.django_db
def test_a_service_is_found_by_a_call_that_never_reached_it():
    """A fault that the caller's proxy injects: the one span is the caller's, and the alert about the service leads here."""
    put(REVIEWS, (7, 1, 0, "GET /ratings/0", 0, 1, True, {"meshconsole.service": "ratings.default.svc.cluster.local;ratings;default"}))
    put(Origin("shop"), (8, 1, 0, "claims", 0, 1, True, {"meshconsole.service": "ratings.default.svc.cluster.local;ratings;default"}))
    found = traces.search(NOW - 10, NOW + 10, service="ratings", errors=True, namespaces=["default"])
    assert [t.id for t in found.traces] == [hex_(7)] and SpanPiece.objects.get(trace=hex_(7)).calls == " ratings "
    assert not traces.search(NOW - 10, NOW + 10, service="rating").traces
    assert not traces.search(NOW - 10, NOW + 10, service="ratings", namespaces=["other"]).traces
