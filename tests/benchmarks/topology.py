"""
Row `topology`: the graph of 1,000 services and 10,000 edges, over HTTP, while their agents go on reporting; beside the same figures from
Prometheus by PromQL.

A real web process (core 1 when there are two) answers GET /api/v1/topology five times a second, over 40 s, to one client; that is the way that
scripts, and pages without the WebSocket, take. `first` is the answer that nobody had asked for before. In `alone` the parts are timed in this
process without sharing. Prometheus holds the source's series (requests, durations, bytes) and the destination's requests, and is asked for
what the graph shows: rates with codes and flags, p50, p95, p99, bytes, mutual TLS.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from statistics import quantiles

SERVICES = int(os.environ.get("SERVICES", "1000"))
SECONDS = 40
PER_SECOND = 5


def p95(values: list[float]) -> float:
    return quantiles(values, n=100)[94]


def run() -> dict:
    with tempfile.TemporaryDirectory() as home:
        os.environ["MESHCONSOLE_HOME"] = home
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        token = json.loads(subprocess.check_output([sys.executable, "-m", "django", "bootstrap"], env=os.environ).splitlines()[-1])["token"]
        register()
        feed(time.time(), 8)
        alone = parts()
        # In a process of its own: the client's thread must not wait for what stands for a thousand agents.
        feeder = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.topology", "feed"], env=os.environ)
        try:
            first, times, size, edges = over_http(token)
        finally:
            feeder.kill()
            feeder.wait()
    theirs, their_parts, found = beside()
    ours = p95(times)
    return {
        "row": "topology",
        "services": SERVICES,
        "edges": edges,
        "p95_ms": round(ours * 1000, 1),
        "p50_ms": round(sorted(times)[len(times) // 2] * 1000, 1),
        "first_ms": round(first * 1000, 1),
        "bytes": size,
        "alone_ms": alone,
        "prometheus_p95_ms": round(theirs * 1000, 1),
        "prometheus_ms": their_parts,
        "prometheus_edges": found,
        "ratio": round(ours / theirs, 4),
        "target": "<= 50 ms, <= 0.2",
        "repetitions": [round(t * 1000, 2) for t in times],
    }


def register() -> None:
    from django.utils import timezone

    from meshconsole.discovery import registry
    from meshconsole.xds.models import HubRecord, ProxyRecord
    from proxyagent.protocol import Workload, WorkloadPort
    from tests.benchmarks import _figures

    now = timezone.now()
    HubRecord.objects.create(id="bench", started=now, beat=now)
    _, workloads = _figures.mesh(SERVICES)
    for w in workloads:
        registry.register(Workload(w.namespace, w.name, services=w.services, labels=w.labels, ports=(WorkloadPort(9080, "http"),)), now)
    ProxyRecord.objects.bulk_create(
        ProxyRecord(id=w.id, namespace=w.namespace, name=w.name, connected=True, hub="bench", state="SYNCED", acked_at=now)
        for w in workloads
    )


def feed(end: float, rounds: int) -> None:
    from telemetry import ingest
    from tests.benchmarks import _figures

    for i in range(rounds):
        at = end - 10 * (rounds - 1 - i)
        for proxy, body in _figures.batches(SERVICES, at, 10.0):
            ingest.store(proxy, "bench", int(at * 10), body)


def keep_feeding() -> None:
    import django

    django.setup()
    while True:
        time.sleep(max(0.0, 10 - time.time() % 10))
        feed(time.time(), 1)


def parts() -> dict[str, float]:
    """Milliseconds, the median of five."""
    import msgspec

    from meshconsole.topology import queries
    from meshconsole.topology.build import Period, build
    from telemetry import query

    taken: dict[str, list[float]] = {"figures": [], "names": [], "graph": [], "json": []}
    for _ in range(5):
        now = time.time()
        steps = [time.perf_counter()]
        with queries._unswept():
            edges = query.edges(now - 60, now, now=now)
            steps.append(time.perf_counter())
            known = queries._known()
            steps.append(time.perf_counter())
            graph = build(edges, known, Period(60, "", ""))
            steps.append(time.perf_counter())
            msgspec.json.encode(graph)
            steps.append(time.perf_counter())
        for name, a, b in zip(taken, steps, steps[1:], strict=False):
            taken[name].append(b - a)
    return {name: round(sorted(values)[2] * 1000, 1) for name, values in taken.items()}


def over_http(token: str) -> tuple[float, list[float], int, int]:
    import httpx

    from meshconsole.cli.up import free_port

    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "meshconsole.asgi:application", "--port", str(port), "--log-level", "warning"]
    if (os.cpu_count() or 1) > 1:
        command = ["taskset", "-c", "1", *command]
    web = subprocess.Popen(command, env=os.environ)
    try:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )
        for _ in range(300):
            try:
                if client.get("/healthz").is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        started = time.perf_counter()
        answer = client.get("/api/v1/topology", params={"window": "60s"})
        first = time.perf_counter() - started
        answer.raise_for_status()
        edges = len(answer.json()["edges"])
        times = []
        begin = time.perf_counter()
        for i in range(SECONDS * PER_SECOND):
            due = begin + i / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            started = min(due, time.perf_counter())  # counted from when it was meant to be sent
            client.get("/api/v1/topology", params={"window": "60s"}).raise_for_status()
            times.append(time.perf_counter() - started)
        return first, times, len(answer.content), edges
    finally:
        web.send_signal(signal.SIGTERM)
        web.wait(20)


ENDS = ", ".join(
    f"{side}_{name}" for side in ("source", "destination") for name in ("workload", "workload_namespace", "canonical_service", "version")
)
BY = f"{ENDS}, destination_service, destination_service_name, destination_service_namespace, request_protocol"
RATE = 'rate({}{{reporter="source"}}[2m])'


def beside() -> tuple[float, dict[str, float], int]:
    """Seconds for all figures of one graph (p95 of ten), each question's milliseconds, edges found."""
    from tests.benchmarks import _figures
    from tests.benchmarks._prometheus import Targets, lines, prometheus

    bodies = [body for _, body in _figures.batches(SERVICES, time.time(), 10.0)]
    pages: list[list[tuple[str, float]]] = [[] for _ in range(20)]
    for i, body in enumerate(bodies):
        for line in lines(body):
            if 'reporter="source"' in line[0] or line[0].startswith("istio_requests_total"):
                pages[i % 20].append(line)
    targets = Targets(pages)
    bucket = RATE.format("istio_request_duration_milliseconds_bucket")
    questions = {
        "requests": f"sum by ({BY}, response_code, response_flags, grpc_response_status) ({RATE.format('istio_requests_total')})",
        "security": f'sum by ({BY}, connection_security_policy, source_principal) (rate(istio_requests_total{{reporter="destination"}}[2m]))',
        "p50": f"histogram_quantile(0.5, sum by (le, {BY}) ({bucket}))",
        "p95": f"histogram_quantile(0.95, sum by (le, {BY}) ({bucket}))",
        "p99": f"histogram_quantile(0.99, sum by (le, {BY}) ({bucket}))",
        "request_bytes": f"sum by ({BY}) ({RATE.format('istio_request_bytes_sum')})",
        "response_bytes": f"sum by ({BY}) ({RATE.format('istio_response_bytes_sum')})",
    }
    totals, each = [], {}
    with prometheus(targets, 30) as server:
        while min(targets.scrapes) < 3:
            time.sleep(0.5)
        time.sleep(3)
        for _ in range(10):
            begin = time.perf_counter()
            for name, promql in questions.items():
                started = time.perf_counter()
                answer = server.query(promql)
                each[name] = round((time.perf_counter() - started) * 1000, 1)
                if name == "p50":
                    found = len(answer)
            totals.append(time.perf_counter() - begin)
    return p95(totals), each, found


if __name__ == "__main__":
    from tests.benchmarks._results import save

    if sys.argv[1:] == ["feed"]:
        keep_feeding()
    save(run())
