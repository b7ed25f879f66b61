"""
Bookinfo without its processes: its workloads through discovery's door, and what its Envoys would have counted through telemetry's.

`python -m tests.browser.bookinfo [--errors] [--seconds 60] [--ago 0]`, in the environment of a console.
"""

import argparse
import time
import uuid

import django

django.setup()

from django.utils import timezone  # noqa: E402

from meshconsole.discovery import registry  # noqa: E402
from proxyagent import protocol  # noqa: E402
from telemetry import ingest, samples  # noqa: E402
from telemetry.histogram import observe  # noqa: E402

WORKLOADS = [
    # (workload, service, version)
    ("ingressgateway", "", ""),
    ("productpage-v1", "productpage", "v1"),
    ("details-v1", "details", "v1"),
    ("reviews-v1", "reviews", "v1"),
    ("reviews-v2", "reviews", "v2"),
    ("reviews-v3", "reviews", "v3"),
    ("ratings-v1", "ratings", "v1"),
]
CALLS = [
    # (from, to, requests per second, milliseconds)
    ("ingressgateway", "productpage-v1", 10, 40),
    ("productpage-v1", "details-v1", 10, 8),
    ("productpage-v1", "reviews-v1", 5, 12),
    ("productpage-v1", "reviews-v2", 3, 30),
    ("productpage-v1", "reviews-v3", 2, 30),
    ("reviews-v2", "ratings-v1", 3, 6),
    ("reviews-v3", "ratings-v1", 2, 6),
]
KNOWN = {name: (service or name, version or "latest", service) for name, service, version in WORKLOADS}


def register() -> None:
    for i, (name, service, version) in enumerate(WORKLOADS):
        registry.register(
            protocol.Workload(
                "default",
                name,
                service_account=f"bookinfo-{service}" if service else name,
                kind="sidecar" if service else "gateway",
                address=f"127.0.1.{i + 1}",
                services=(service,) if service else (),
                labels={"app": service, "version": version} if service else {"app": name, "istio": name},
                ports=(protocol.WorkloadPort(9080, "http"),) if service else (),
            ),
            timezone.now(),
        )


def labels(reporter: str, source: str, target: str, code: str) -> dict[str, str]:
    said = {"reporter": reporter, "request_protocol": "http", "response_code": code, "response_flags": "-" if code == "200" else "UF"}
    said["connection_security_policy"] = "mutual_tls" if reporter == "destination" else "unknown"
    for end, name in (("source", source), ("destination", target)):
        app, version, service = KNOWN[name]
        said |= {
            f"{end}_workload": name,
            f"{end}_workload_namespace": "default",
            f"{end}_principal": f"spiffe://cluster.local/ns/default/sa/{'bookinfo-' if service else ''}{app}",
            f"{end}_app": app,
            f"{end}_version": version,
            f"{end}_canonical_service": app,
            f"{end}_canonical_revision": version,
        }
    service = KNOWN[target][2]
    host = f"{service}.default.svc.cluster.local"
    return said | {"destination_service": host, "destination_service_name": service, "destination_service_namespace": "default"}


def count(start: float, end: float, errors: bool) -> None:
    """What each Envoy of Bookinfo counts between two scrapes."""
    for proxy in KNOWN:
        counters, histograms = [], []
        for source, target, rate, ms in CALLS:
            for reporter, who in (("source", source), ("destination", target)):
                if who != proxy:
                    continue
                n = round(rate * (end - start))
                failed = n // 4 if errors and target == "ratings-v1" and source == "reviews-v3" else 0
                for code, of_code in (("200", n - failed), ("503", failed)):
                    if of_code:
                        said = labels(reporter, source, target, code)
                        counters.append(samples.Counter("istio_requests_total", said, of_code))
                        times = [ms * (0.5 + i / of_code) for i in range(of_code)]
                        histograms.append(
                            samples.Histogram("istio_request_duration_milliseconds", said, observe(times), sum(times), of_code)
                        )
        batch = samples.encode(samples.Batch(start, end, tuple(counters), tuple(histograms)))
        ingest.store(f"default/{proxy}", uuid.uuid4().hex, 1, batch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--errors", action="store_true", help="a quarter of reviews-v3's calls to ratings fails")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--ago", type=int, default=0, help="the traffic ended so many seconds ago")
    asked = parser.parse_args()
    register()
    now = time.time() - asked.ago
    for ago in range(asked.seconds, 0, -10):
        count(now - ago, now - ago + 10, asked.errors)
