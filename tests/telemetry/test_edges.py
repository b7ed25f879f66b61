from telemetry.edges import Edge, fold, place
from telemetry.histogram import observe
from telemetry.labels import MAX_EXTRA, STANDARD, key, overflow

from .traffic import labels


def row(source: str, destination: str, n: int = 10, milliseconds: float = 7.0, seconds: float = 60.0, **more: str):
    return (
        place(key(labels(source, destination, **more))),
        seconds,
        (n, 0, 0, 0, n * milliseconds, n, n, *observe([milliseconds] * n)),
    )


def tcp(source: str, destination: str, opened: int, sent: int, received: int, **more: str):
    of = labels(source, destination, request_protocol="tcp", response_code="", **more)
    return place(key(of)), 60.0, (0, sent, received, opened, 0.0, 0, 0, *observe([]))


def only(edges: list[Edge]) -> Edge:
    assert len(edges) == 1, edges
    return edges[0]


def test_what_both_ends_report_is_counted_once_and_the_destination_says_how_secure_it_was():
    both = [row("a-v1", "b-v1", 10, reporter="source"), row("a-v1", "b-v1", 9, reporter="destination")]
    edge = only(fold(both))
    assert (edge.reporter, edge.requests, edge.mtls_share) == ("source", 10, 1.0)


def test_without_a_proxy_at_the_source_the_destination_is_believed():
    edge = only(fold([row("unknown", "b-v1", 4, reporter="destination")]))
    assert (edge.reporter, edge.source.known, edge.requests, edge.mtls_share) == ("destination", False, 4, 0.0)


def test_a_source_knows_mutual_tls_by_its_peers_principal():
    assert only(fold([row("a-v1", "b-v1")])).mtls_share == 1.0
    assert only(fold([row("a-v1", "b-v1", destination_principal="unknown")])).mtls_share is None


def test_part_plaintext_is_a_share():
    edge = only(
        fold(
            [
                row("a-v1", "b-v1", 10),
                row("a-v1", "b-v1", 6, reporter="destination"),
                row("a-v1", "b-v1", 2, reporter="destination", connection_security_policy="none"),
            ]
        )
    )
    assert edge.mtls_share == 0.75


def test_a_named_source_that_calls_in_plaintext_is_not_drawn_again_as_unknown():
    edge = only(fold([row("a-v1", "b-v1", 10, destination_principal="unknown"), row("unknown", "b-v1", 10, reporter="destination")]))
    assert (edge.source.workload, edge.requests, edge.mtls_share) == ("a-v1", 10, 0.0)


def test_nameless_callers_beside_named_ones_stay():
    edges = fold([row("a-v1", "b-v1", 10, destination_principal="unknown"), row("unknown", "b-v1", 50, reporter="destination")])
    assert [(e.source.workload, e.requests) for e in edges] == [("a-v1", 10), ("unknown", 50)]


def test_the_same_workload_asked_for_by_two_hosts_is_two_edges_of_the_source_only():
    edges = fold(
        [
            row("a-v1", "b-v1", 3, service="b"),
            row("a-v1", "b-v1", 4, service="alias"),
            row("a-v1", "b-v1", 7, service="b", reporter="destination"),
        ]
    )
    assert [(e.service_name, e.requests) for e in edges] == [("alias", 4), ("b", 3)]


def test_codes_flags_and_errors_are_told_apart():
    edge = only(
        fold(
            [
                row("a-v1", "b-v1", 90),
                row("a-v1", "b-v1", 5, code="404"),
                row("a-v1", "b-v1", 3, code="503", response_flags="UF"),
                row("a-v1", "b-v1", 2, code="0", response_flags="DC"),
            ]
        )
    )
    assert edge.codes == {"0": 2, "200": 90, "404": 5, "503": 3}
    assert edge.flags == {"DC": 2, "UF": 3}
    assert (edge.errors_4xx, edge.errors_5xx, edge.error_share) == (5, 5, 0.1)


def test_a_grpc_status_decides_before_the_http_code():
    edge = only(
        fold(
            [
                row("a-v1", "b-v1", 8, request_protocol="grpc", grpc_response_status="0"),
                row("a-v1", "b-v1", 2, request_protocol="grpc", grpc_response_status="14"),
            ]
        )
    )
    assert edge.grpc_statuses == {"0": 8, "14": 2}
    assert (edge.codes, edge.error_share) == ({"200": 10}, 0.2)


def test_requests_that_reached_no_workload_end_at_their_service():
    edge = only(fold([row("a-v1", "unknown", 6, code="503", service="ratings", response_flags="UH")]))
    assert (edge.destination.known, edge.service_name, edge.service_namespace) == (False, "ratings", "default")


def test_durations_of_all_series_of_an_edge_are_merged():
    edge = only(fold([row("a-v1", "b-v1", 50, 3.0), row("a-v1", "b-v1", 50, 80.0, code="500")]))
    assert edge.buckets == observe([3.0] * 50 + [80.0] * 50)
    assert edge.p50 == 5 and edge.p99 == 99


def test_tcp_counts_connections_and_bytes():
    edge = only(fold([tcp("a-v1", "db-v1", 3, 4000, 700), tcp("a-v1", "db-v1", 3, 4000, 700, reporter="destination")]))
    assert (edge.protocol, edge.connections, edge.sent, edge.received, edge.mtls_share) == ("tcp", 3, 4000, 700, 1.0)


def test_the_order_of_series_does_not_matter():
    rows = [row("a-v1", f"b-v{i}", i + 1, reporter=r) for i in range(5) for r in ("source", "destination")]
    assert fold(rows) == fold(reversed(rows))


def test_labels_beyond_istios_are_kept_but_bounded():
    extra = {f"tag{i:02}": "v" for i in range(MAX_EXTRA + 5)}
    full = key(labels("a-v1", "b-v1") | extra)
    assert len(full) == len(STANDARD) + MAX_EXTRA
    assert full[len(STANDARD)] == "tag00=v"
    assert full[: len(STANDARD)] == key(labels("a-v1", "b-v1"))


def test_the_order_of_labels_makes_no_other_series():
    of = labels("a-v1", "b-v1")
    assert key(of) == key(dict(reversed(of.items())))


def test_overflow_keeps_the_reporters_own_names_and_drops_its_peers():
    full = key(labels("a-v1", "b-v1", code="404"))
    at = place(overflow(full))
    assert (at.identity.pair[0].workload, at.identity.pair[1].workload, at.code, at.identity.protocol) == (
        "a-v1",
        "overflow",
        "404",
        "http",
    )
    at = place(overflow(key(labels("a-v1", "b-v1", reporter="destination"))))
    assert (at.identity.pair[0].workload, at.identity.pair[1].workload) == ("overflow", "b-v1")
