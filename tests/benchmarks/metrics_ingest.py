"""
Row `metrics_ingest`: edge samples stored and queryable per second of one core, beside Prometheus scraping the same series.

What both keep of one label set in one interval counts as 67 samples: requests_total, and 20 buckets, sum and count of durations, of
request sizes and of response sizes. Ours arrive as agents' batches and are stored in three resolutions in one transaction each; Prometheus
parses its text format. CPU seconds of the process that stores are counted on both sides, not the wall clock; both stores are asked
afterwards, and must have every request.
"""

import os
import resource
import sqlite3
import tempfile
import time
from statistics import median

SERVICES = int(os.environ.get("SERVICES", "100"))
ROUNDS = 7
PER_SET = 67


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run() -> dict:
    from tests.benchmarks import _figures

    with tempfile.TemporaryDirectory() as home:
        os.environ["MESHCONSOLE_HOME"] = home
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")
        import django

        django.setup()
        from django.core.management import call_command

        from telemetry import ingest, query
        from telemetry.samples import decode

        call_command("migrate", verbosity=0)
        start = time.time() // 10 * 10 - 10 * ROUNDS
        rounds = [list(_figures.batches(SERVICES, start + 10 * i + 9, 10.0)) for i in range(ROUNDS)]
        sets = sum(len(decode(body).counters) for _, body in rounds[0])
        expected = sum(c.value for r in rounds for _, body in r for c in decode(body).counters if c.labels["reporter"] == "source")
        ours = []
        for i, batches in enumerate(rounds):
            before = cpu()
            for proxy, body in batches:
                ingest.store(proxy, "epoch", i, body)
            ours.append(sets * PER_SET / (cpu() - before))
        now = start + 10 * ROUNDS
        stored = sum(e.requests for e in query.edges(start, now, now=now))
        size = os.path.getsize(os.path.join(home, "meshconsole.sqlite3"))
        backend = f"sqlite {sqlite3.sqlite_version}" if "DATABASE_URL" not in os.environ else os.environ["DATABASE_URL"].split(":")[0]
        theirs, missing = beside([body for _, body in rounds[0]])
    return {
        "row": "metrics_ingest",
        "label_sets": sets,
        "samples_per_second_and_core": round(median(ours[1:])),
        "first_round": round(ours[0]),
        "prometheus_samples_per_second_and_core": round(theirs),
        "ratio": round(median(ours[1:]) / theirs, 2),
        "target": ">= 0.5",
        "complete": stored == expected and not missing,
        "bytes_per_label_set_and_round": round(size / sets / ROUNDS),
        "backend": backend,
        "repetitions": [round(v) for v in ours],
    }


def beside(batches: list[bytes]) -> tuple[float, bool]:
    """Prometheus' samples per CPU second over some scrapes; whether it lacks any request."""
    from tests.benchmarks._prometheus import Targets, lines, prometheus

    targets = Targets([lines(b) for b in batches])
    per_scrape = sum(map(len, targets.pages))
    interval = max(2, round(per_scrape / 40_000))
    with prometheus(targets, interval) as server:
        while min(targets.scrapes) < 2:
            time.sleep(0.2)
        before, handed = server.cpu(), targets.samples
        while min(targets.scrapes) < 6:
            time.sleep(0.2)
        time.sleep(interval / 2)
        rate = (targets.samples - handed) / (server.cpu() - before)
        found = server.query('count({__name__=~"istio_.*"})')
    return rate, int(found[0]["value"][1]) != per_scrape


if __name__ == "__main__":
    from tests.benchmarks._results import save

    save(run())
