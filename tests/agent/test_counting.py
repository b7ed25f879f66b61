"""From Envoy's totals to deltas with Istio's labels, and the buffer that loses none and doubles none."""

from hypothesis import given
from hypothesis import strategies as st

from proxyagent.protocol import Workload
from proxyagent.relay import buffer, counting, labels
from telemetry.samples import Batch, Counter, Histogram

ME = labels.own(Workload("default", "reviews-v1", labels={"app": "reviews", "version": "v1"}))
US = "spiffe://cluster.local/ns/default/sa/reviews"
THEM = "spiffe://cluster.local/ns/shop/sa/productpage"


def same(tags):
    return tags


def test_a_source_reports_the_peer_by_its_endpoints_metadata():
    told = labels.expand(
        {
            "reporter": "source",
            "peer": "ratings-v1;data;ratings;v2;ratings;v2",
            "peer_principal": THEM,
            "service": "ratings.data.svc.cluster.local;ratings;data",
            "request_protocol": "grpc",
            "response_code": "200",
            "response_flags": "-",
            "grpc_response_status": "0",
        },
        ME,
        US,
    )
    assert told == {
        "reporter": "source",
        "source_workload": "reviews-v1",
        "source_workload_namespace": "default",
        "source_principal": US,
        "source_app": "reviews",
        "source_version": "v1",
        "source_canonical_service": "reviews",
        "source_canonical_revision": "v1",
        "source_cluster": "unknown",
        "destination_workload": "ratings-v1",
        "destination_workload_namespace": "data",
        "destination_principal": THEM,
        "destination_app": "ratings",
        "destination_version": "v2",
        "destination_canonical_service": "ratings",
        "destination_canonical_revision": "v2",
        "destination_cluster": "unknown",
        "destination_service": "ratings.data.svc.cluster.local",
        "destination_service_name": "ratings",
        "destination_service_namespace": "data",
        "request_protocol": "grpc",
        "response_code": "200",
        "response_flags": "-",
        "grpc_response_status": "0",
        "connection_security_policy": "unknown",
    }


def test_a_destination_reports_the_peer_by_its_certificate():
    told = labels.expand(
        {
            "reporter": "destination",
            "peer_subject": r"ST=v1,L=productpage,OU=v1,O=product\, page,CN=productpage-v1",
            "peer_principal": THEM,
            "service": "reviews.default.svc.cluster.local;reviews;default",
        },
        ME,
        US,
    )
    assert (told["source_workload"], told["source_app"], told["source_version"]) == ("productpage-v1", "product, page", "v1")
    assert (told["source_workload_namespace"], told["source_principal"]) == ("shop", THEM)
    assert (told["destination_workload"], told["destination_principal"]) == ("reviews-v1", US)
    assert told["connection_security_policy"] == "mutual_tls"


def test_plaintext_from_nobody_is_unknown_and_says_so():
    told = labels.expand({"reporter": "destination", "peer_subject": "-", "peer_principal": "-", "service": "-"}, ME, US)
    assert (told["source_workload"], told["source_principal"], told["source_canonical_revision"]) == ("unknown", "unknown", "latest")
    assert told["connection_security_policy"] == "none" and told["destination_principal"] == "unknown"
    assert told["destination_service"] == "unknown"


def test_a_request_that_reached_no_endpoint_still_names_its_service():
    told = labels.expand({"reporter": "source", "peer": "-", "service": "a.b.svc.cluster.local;a;b", "response_code": "503"}, ME, US)
    assert (told["destination_workload"], told["destination_service_name"], told["destination_service_namespace"]) == ("unknown", "a", "b")


OLD = """# TYPE envoy_istio_requests_total counter
envoy_istio_requests_total{code="200",x="a \\"quoted\\" b"} 5
envoy_istio_request_duration_milliseconds_bucket{code="200",le="0.5"} 1
envoy_istio_request_duration_milliseconds_bucket{code="200",le="1"} 3
envoy_istio_request_duration_milliseconds_bucket{code="200",le="+Inf"} 3
envoy_istio_request_duration_milliseconds_sum{code="200"} 2.5
envoy_istio_request_duration_milliseconds_count{code="200"} 3
"""
NEW = """envoy_istio_requests_total{code="200",x="a \\"quoted\\" b"} 7
envoy_istio_requests_total{code="503"} 1
envoy_istio_request_duration_milliseconds_bucket{code="200",le="0.5"} 1
envoy_istio_request_duration_milliseconds_bucket{code="200",le="1"} 4
envoy_istio_request_duration_milliseconds_bucket{code="200",le="+Inf"} 7
envoy_istio_request_duration_milliseconds_sum{code="200"} 9.5
envoy_istio_request_duration_milliseconds_count{code="200"} 7
"""


def test_only_what_was_counted_in_between_is_told():
    batch = counting.between(counting.read(OLD), counting.read(NEW), 1.0, 2.0, same)
    assert batch.counters == (
        Counter("istio_requests_total", {"code": "200", "x": 'a "quoted" b'}, 2.0),
        Counter("istio_requests_total", {"code": "503"}, 1.0),
    )
    [h] = batch.histograms
    assert (h.name, h.labels, h.sum, h.count) == ("istio_request_duration_milliseconds", {"code": "200"}, 7.0, 4)
    assert h.buckets == (0, 1, *[0] * 17, 3)
    assert counting.between(counting.read(NEW), counting.read(NEW), 1.0, 2.0, same) is None


def test_bucket_deltas_are_not_cumulative():
    text = "\n".join(f'envoy_istio_x_bucket{{le="{b}"}} {v}' for b, v in (("0.5", 1), ("1", 3), ("5", 3), ("+Inf", 4)))
    full = text.replace('le="5"} 3', 'le="5"} 3\n' + "\n".join(f'envoy_istio_x_bucket{{le="{b}"}} 3' for b in counting.ISTIO_BOUNDS[3:]))
    [h] = counting.between({}, counting.read(full + "\nenvoy_istio_x_sum 9\nenvoy_istio_x_count 4"), 0, 1, same).histograms
    assert h.buckets == (1, 2, *[0] * 17, 1) and h.count == 4


def batch(n, start=0.0, end=1.0):
    return Batch(start, end, (Counter("c", {"a": "b"}, n),), (Histogram("h", {"a": "b"}, (n,) + (0,) * 19, n * 2.0, n),))


def test_two_batches_become_one_that_says_the_same():
    both = counting.merge(batch(2, 0, 1), batch(3, 1, 4))
    assert (both.start, both.end, both.counters[0].value, both.histograms[0].count, both.histograms[0].buckets[0]) == (0, 4, 5, 5, 5)


@given(st.lists(st.sampled_from(["count", "connect", "disconnect", "ack", "crash"]), max_size=300))
def test_whatever_happens_each_count_reaches_the_console_once(events):
    """A model of the relay's rule: what may be sent is on disk as offered before it is sent."""
    state, counted, stored, disk, connected = buffer.Buffer("e"), 0, {}, None, False

    def save():
        nonlocal disk
        disk = buffer.encode(state)

    def offer():
        if connected and state.window():
            if state.window()[-1].seq > state.offered:
                state.offer_all()
                save()
            for p in state.window():
                stored.setdefault(p.seq, p.batch.counters[0].value)

    save()
    for i, event in enumerate(events):
        if event == "count":
            counted += 1
            state.add(batch(1, i, i + 1))
            if connected:
                state.offer_all()
            save()
            offer()
        elif event == "connect":
            connected = True
            offer()
        elif event == "disconnect":
            connected = False
        elif event == "ack" and connected:
            state.stored("e", max(stored, default=0))
            offer()
        elif event == "crash":
            state, connected = buffer.decode(disk), False
    connected = True
    while state.pending:
        offer()
        state.stored("e", max(stored))
    assert sum(stored.values()) == counted
    assert len(state.pending) == 0


def test_a_console_that_is_away_for_long_costs_resolution_and_not_memory():
    state = buffer.Buffer("e")
    for i in range(1000):
        state.add(batch(1, i, i + 1))
    assert len(state.pending) == buffer.KEPT
    assert sum(p.batch.counters[0].value for p in state.pending) == 1000
    assert [p.seq for p in state.pending] == sorted({p.seq for p in state.pending})


def test_what_may_have_been_sent_is_never_joined_with_another():
    state = buffer.Buffer("e")
    for i in range(50):
        state.add(batch(1, i, i + 1))
    state.offer_all()
    for i in range(200):
        state.add(batch(1, 50 + i, 51 + i))
    assert [p.batch.counters[0].value for p in state.pending[:50]] == [1] * 50


def test_prometheus_sees_istios_names_and_all_buckets():
    families = {f.name: f for f in counting.families(counting.read(NEW), same)}
    assert families["istio_requests_total"].type == "counter"
    assert families["istio_request_duration_milliseconds"].type == "histogram"
    assert {s.name for s in families["istio_request_duration_milliseconds"].samples} == {
        f"istio_request_duration_milliseconds{s}" for s in ("_bucket", "_sum", "_count")
    }


def test_grpc_messages_that_envoy_counts_per_cluster_are_told_by_istios_names():
    text = """envoy_cluster_grpc_request_message_count{envoy_cluster_name="outbound|9080|v2|ratings.data.svc.cluster.local"} 3
envoy_cluster_grpc_response_message_count{envoy_cluster_name="outbound|443||api.example.com"} 4
envoy_cluster_grpc_request_message_count{envoy_cluster_name="inbound|9080||"} 5
"""
    batch = counting.between({}, counting.read(text), 0, 1, lambda tags: labels.expand(tags, ME, US))
    ratings, example, served = batch.counters
    assert (ratings.name, ratings.value) == ("istio_request_messages_total", 3) and example.name == "istio_response_messages_total"
    assert (ratings.labels["destination_service"], ratings.labels["destination_service_namespace"]) == (
        "ratings.data.svc.cluster.local",
        "data",
    )
    assert (ratings.labels["reporter"], ratings.labels["source_workload"], ratings.labels["destination_workload"]) == (
        "source", "reviews-v1", "unknown",
    )  # fmt: skip
    assert example.labels["destination_service_name"] == "api.example.com"
    assert (served.labels["reporter"], served.labels["destination_workload"]) == ("destination", "reviews-v1")
    assert ratings.labels["request_protocol"] == ratings.labels["response_code"] == "", "they make no edge, and no failure"


def test_a_telemetry_adds_labels_and_takes_them_away():
    tags = {"reporter": "destination", "peer_subject": "CN=web", "peer_principal": "-", "service": "-", "request_method": "GET", "x": "-"}
    told = labels.expand({**tags, "removed": "source_app,response_flags"}, ME, US)
    assert told["request_method"] == "GET" and told["x"] == "unknown"
    assert not {"source_app", "response_flags", "removed"} & set(told) and told["source_workload"] == "web"
