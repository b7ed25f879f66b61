"""Batches as an agent's relay makes them."""

from telemetry.histogram import observe
from telemetry.labels import DURATION
from telemetry.samples import Batch, Counter, Histogram, encode

NOW = 1_800_000_005.0
"""In the middle of a window, a minute and an hour."""
HOST = "{}.default.svc.cluster.local"


def labels(source: str, destination: str, reporter: str = "source", code: str = "200", service: str = "", **more: str) -> dict[str, str]:
    service = service or destination.split("-")[0]
    secure = destination != "unknown" and source != "unknown"
    result = {
        "reporter": reporter,
        **_end("source", source),
        **_end("destination", destination),
        "destination_service": HOST.format(service),
        "destination_service_name": service,
        "destination_service_namespace": "default",
        "request_protocol": "http",
        "response_code": code,
        "grpc_response_status": "",
        "response_flags": "-",
        "connection_security_policy": ("mutual_tls" if secure else "none") if reporter == "destination" else "unknown",
    }
    if not secure:
        result |= {"source_principal": "unknown", "destination_principal": "unknown"}
    return result | more


def _end(side: str, workload: str) -> dict[str, str]:
    app, _, version = workload.partition("-")
    known = workload != "unknown"
    return {
        f"{side}_workload": workload,
        f"{side}_workload_namespace": "default" if known else "unknown",
        f"{side}_principal": f"spiffe://cluster.local/ns/default/sa/{app}" if known else "unknown",
        f"{side}_app": app,
        f"{side}_version": version or "unknown",
        f"{side}_canonical_service": app,
        f"{side}_canonical_revision": version or "latest",
        f"{side}_cluster": "unknown",
    }


def requests(source: str, destination: str, n: int, milliseconds: float = 7.0, **more: str) -> tuple[list[Counter], list[Histogram]]:
    """n requests as one counter and three histograms."""
    of = labels(source, destination, **more)
    return (
        [Counter("istio_requests_total", of, n)],
        [
            Histogram(DURATION, of, observe([milliseconds] * n), milliseconds * n, n),
            Histogram("istio_request_bytes", of, observe([300] * n), 300 * n, n),
            Histogram("istio_response_bytes", of, observe([1200] * n), 1200 * n, n),
        ],
    )


def connections(source: str, destination: str, n: int, sent: int, received: int, **more: str) -> tuple[list[Counter], list[Histogram]]:
    """n TCP connections that opened and closed, with the bytes of all of them."""
    of = labels(source, destination, code="0", **({"request_protocol": "tcp"} | more))
    figures = {"connections_opened": n, "connections_closed": n, "sent_bytes": sent, "received_bytes": received}
    return [Counter(f"istio_tcp_{name}_total", of, value) for name, value in figures.items()], []


def messages(source: str, service: str, requests: int, responses: int, reporter: str = "source") -> tuple[list[Counter], list[Histogram]]:
    """gRPC messages as an agent tells them: of a service, and of no peer."""
    ends = (source, "unknown") if reporter == "source" else ("unknown", source)
    of = labels(*ends, reporter=reporter, code="", service=service, request_protocol="", response_flags="")
    return [Counter("istio_request_messages_total", of, requests), Counter("istio_response_messages_total", of, responses)], []


def batch(*parts: tuple[list[Counter], list[Histogram]], end: float = NOW, seconds: float = 5.0) -> bytes:
    counters = tuple(c for part in parts for c in part[0])
    histograms = tuple(h for part in parts for h in part[1])
    return encode(Batch(end - seconds, end, counters, histograms))
