"""Istio's standard labels, the metrics that carry them, and what fits into the store of both."""

from collections.abc import Mapping

STANDARD: tuple[str, ...] = (
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_canonical_service",
    "source_canonical_revision",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
)
_STANDARD = frozenset(STANDARD)

MAX_VALUE = 256
MAX_EXTRA = 16
"""Labels beyond the standard ones (a Telemetry resource's tags) that one series may have; the rest is left out."""

COUNTERS: dict[str, str] = {
    "istio_requests_total": "requests",
    "istio_tcp_sent_bytes_total": "sent",
    "istio_tcp_received_bytes_total": "received",
    "istio_tcp_connections_opened_total": "opened",
    "istio_tcp_connections_closed_total": "closed",
    "istio_request_messages_total": "request_messages",
    "istio_response_messages_total": "response_messages",
}
"""Metric name -> column."""

DURATION = "istio_request_duration_milliseconds"
SIZES: dict[str, str] = {"istio_request_bytes": "request_bytes", "istio_response_bytes": "response_bytes"}
"""Metric name -> the column of its sum."""

Key = tuple[str, ...]
"""A label set: the values of STANDARD in order, '' for those it lacks; then further labels as `name=value`, sorted."""


def key(labels: Mapping[str, str]) -> Key:
    get = labels.get
    values = [get(name, "") for name in STANDARD]
    if len(labels) > len(STANDARD) or not _STANDARD.issuperset(labels):
        extra = sorted(name for name in labels if name not in _STANDARD)[:MAX_EXTRA]
        values += [f"{name[:64]}={labels[name]}" for name in extra]
    if max(map(len, values)) > MAX_VALUE:
        values = [v if len(v) <= MAX_VALUE else v[: MAX_VALUE - 1] + "…" for v in values]
    return tuple(values)


def overflow(key: Key) -> Key:
    """The series that takes what a proxy counts beyond its limit: its own side's names stay, the peer's become `overflow`."""
    named = dict(zip(STANDARD, key, strict=False))
    own = "destination_" if named["reporter"] == "destination" else "source_"
    kept = {"reporter", "request_protocol", "response_code", "connection_security_policy"}
    values = tuple(v if n in kept or (n.startswith(own) and "_service" not in n) else "" for n, v in named.items())
    peer = STANDARD.index("source_workload" if own == "destination_" else "destination_workload")
    return (*values[:peer], "overflow", *values[peer + 1 :])
