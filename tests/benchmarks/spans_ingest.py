"""
Row `spans_ingest`: Envoy's spans stored per second of one core, beside only parsing the same batches; then traces read by id.

Batches are as agents send them: each of four services reports its spans of 200 requests (two each: server and client) with the 17 attributes
that a real Envoy gives them. CPU seconds of this process are counted, not the wall clock; afterwards every trace must be there, with every span.
"""

import os
import random
import resource
import sqlite3
import tempfile
import time
from statistics import median, quantiles

SERVICES, REQUESTS, ROUNDS = ("gateway", "productpage", "reviews", "ratings"), 200, 12


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def batch(service: str, depth: int, traces: list[bytes], at: float) -> bytes:
    from telemetry.spans import ExportTraceServiceRequest

    made = ExportTraceServiceRequest()
    resource_ = made.resource_spans.add()
    resource_.resource.attributes.add(key="service.name").value.string_value = "unknown_service:envoy"
    scope = resource_.scope_spans.add()
    for n, trace in enumerate(traces):
        for hop, kind in enumerate((2, 3)):
            id_ = 2 * depth + hop + 1
            span = scope.spans.add(
                trace_id=trace, span_id=id_.to_bytes(8, "big"), parent_span_id=(id_ - 1).to_bytes(8, "big") if id_ > 1 else b"", name="ingress",
                kind=kind, start_time_unix_nano=int((at + n / 100 + id_ / 1000) * 1e9), end_time_unix_nano=int((at + n / 100 + 0.1 - id_ / 1000) * 1e9),
            )  # fmt: skip
            tags = {
                "node_id": f"default/{service}-v1", "zone": "", "guid:x-request-id": "2f6d5c1c-6c24-9f0f-8f4b-0f7b1c6f5a11", "http.url": f"http://{service}:9080/{service}/{n}",
                "http.method": "GET", "downstream_cluster": "-", "user_agent": "python-httpx/0.28.1", "http.protocol": "HTTP/1.1", "peer.address": "127.0.1.5",
                "request_size": "0", "response_size": "1183", "component": "proxy", "upstream_cluster": "inbound|9080||", "http.status_code": "200",
                "response_flags": "-", "meshconsole.service": f"{service}.default.svc.cluster.local;{service};default", "meshconsole.details": "via_upstream",
            }  # fmt: skip
            for key, value in tags.items():
                span.attributes.add(key=key).value.string_value = value
    return made.SerializeToString()


def run() -> dict:
    with tempfile.TemporaryDirectory() as home:
        os.environ["MESHCONSOLE_HOME"] = home
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")
        import django

        django.setup()
        from django.core.management import call_command

        from telemetry import spans, spanstore, traces

        call_command("migrate", verbosity=0)
        dice, at = random.Random(1), time.time() - 600
        rounds = []
        for n in range(ROUNDS):
            ids = [dice.randbytes(16) for _ in range(REQUESTS)]
            rounds.append([(service, batch(service, depth, ids, at + 10 * n)) for depth, service in enumerate(SERVICES)])
        count = REQUESTS * 2 * len(SERVICES)
        parsed = []
        for batches in rounds:
            before = cpu()
            for _, body in batches:
                spans.parse(body)
            parsed.append(count / (cpu() - before))
        stored = []
        for batches in rounds:
            before = cpu()
            for service, body in batches:
                whose = spans.Origin(service, "default", f"{service}-v1", "v1", True)
                spanstore.store(spans.pieces(spans.parse(body), whose))
            stored.append(count / (cpu() - before))
        everything = traces.search(at - 10, time.time(), limit=REQUESTS * ROUNDS + 1).traces
        whole = len(everything) == REQUESTS * ROUNDS and all(t.spans == 2 * len(SERVICES) and t.name for t in everything)
        took = []
        for one in dice.sample(everything, 200):
            before = time.perf_counter()
            found = traces.trace(one.id)
            took.append((time.perf_counter() - before) * 1000)
            whole = whole and found is not None and len(found.nodes) == 2 * len(SERVICES) and len(found.roots) == 1
        size = os.path.getsize(os.path.join(home, "meshconsole.sqlite3"))
        backend = f"sqlite {sqlite3.sqlite_version}" if "DATABASE_URL" not in os.environ else os.environ["DATABASE_URL"].split(":")[0]
    return {
        "row": "spans_ingest",
        "spans_per_second_and_core": round(median(stored[1:])),
        "target": ">= 25000",
        "parse_only": round(median(parsed[1:])),
        "by_id_p95_ms": round(quantiles(took, n=20)[-1], 2),
        "by_id_target": "<= 10",
        "complete": whole,
        "bytes_per_span": round(size / count / ROUNDS),
        "backend": backend,
        "repetitions": [round(v) for v in stored],
    }


if __name__ == "__main__":
    from tests.benchmarks._results import save

    save(run())
