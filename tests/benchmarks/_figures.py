"""A large mesh's figures: services that each call ten others, reported at both ends, as their agents would send them."""

from collections.abc import Iterator

from meshconsole.core.mesh.model import Endpoint, Port, Protocol, Service, Workload, WorkloadPort
from telemetry.histogram import observe
from telemetry.labels import DURATION
from telemetry.samples import Batch, Counter, Histogram, encode

CALLS = 10


def name(i: int) -> str:
    return f"s{i:04}"


def namespace(i: int) -> str:
    return f"ns{i % 20:02}"


def callees(i: int, services: int) -> list[int]:
    return [(i * 7 + 13 * k + 1) % services for k in range(CALLS)]


def mesh(services: int) -> tuple[list[Service], list[Workload]]:
    ports = (Port(9080, "http", Protocol.HTTP),)
    found = [
        Service(f"{name(i)}.{namespace(i)}.svc.cluster.local", namespace(i), name(i), ports, (Endpoint(f"10.0.{i // 250}.{i % 250}"),))
        for i in range(services)
    ]
    workloads = [
        Workload(
            namespace(i),
            f"{name(i)}-v1",
            labels={"app": name(i), "version": "v1"},
            services=(name(i),),
            ports=(WorkloadPort(9080, "http", Protocol.HTTP),),
        )
        for i in range(services)
    ]
    return found, workloads


def _end(side: str, i: int) -> dict[str, str]:
    return {
        f"{side}_workload": f"{name(i)}-v1",
        f"{side}_workload_namespace": namespace(i),
        f"{side}_principal": f"spiffe://cluster.local/ns/{namespace(i)}/sa/{name(i)}",
        f"{side}_app": name(i),
        f"{side}_version": "v1",
        f"{side}_canonical_service": name(i),
        f"{side}_canonical_revision": "v1",
        f"{side}_cluster": "unknown",
    }


def labels(reporter: str, source: int, destination: int, code: str) -> dict[str, str]:
    return {
        "reporter": reporter,
        **_end("source", source),
        **_end("destination", destination),
        "destination_service": f"{name(destination)}.{namespace(destination)}.svc.cluster.local",
        "destination_service_name": name(destination),
        "destination_service_namespace": namespace(destination),
        "request_protocol": "http",
        "response_code": code,
        "grpc_response_status": "",
        "response_flags": "-",
        "connection_security_policy": "mutual_tls" if reporter == "destination" else "unknown",
    }


def batches(services: int, end: float, seconds: float, factor: int = 1) -> Iterator[tuple[str, bytes]]:
    """(proxy id, batch) of every proxy: what it called, and what called it. One edge in ten has errors too."""
    callers: dict[int, list[int]] = {i: [] for i in range(services)}
    for i in range(services):
        for j in callees(i, services):
            callers[j].append(i)
    for i in range(services):
        counters: list[Counter] = []
        histograms: list[Histogram] = []
        edges = [("source", i, j) for j in callees(i, services)] + [("destination", j, i) for j in callers[i]]
        for reporter, a, b in edges:
            for code in ("200", "503") if (a + b) % 10 == 0 else ("200",):
                of = labels(reporter, a, b, code)
                n = factor * (20 if code == "200" else 1)
                counters.append(Counter("istio_requests_total", of, n))
                histograms.append(Histogram(DURATION, of, observe([3.0 + (a * b) % 50] * (n // 2) + [40.0] * (n - n // 2)), 20.0 * n, n))
                histograms.append(Histogram("istio_request_bytes", of, observe([300.0] * n), 300.0 * n, n))
                histograms.append(Histogram("istio_response_bytes", of, observe([1200.0] * n), 1200.0 * n, n))
        yield f"{namespace(i)}/{name(i)}-v1", encode(Batch(end - seconds, end, tuple(counters), tuple(histograms)))
