"""The upper half of `/metrics`: what is, as the database says it, the same from every process. Counts only, no names."""

import contextlib
import platform
from collections import Counter
from collections.abc import Iterator

import redis
from django.conf import settings
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from meshconsole.ca import queries as ca
from meshconsole.configstore import store
from meshconsole.discovery import registry
from meshconsole.xds import beats, status
from telemetry import held

QUEUE = "celery"
"""Celery's default queue: a list in Redis."""


class Present(Collector):
    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "meshconsole_build",
            "What runs here.",
            {"version": str(settings.SPECTACULAR_SETTINGS["VERSION"]), "python": platform.python_version(), "database": _database()},
        )
        yield from _mesh()
        yield from _authority()
        yield from _store()
        if settings.REDIS_URL and (waiting := _queue()) is not None:
            yield GaugeMetricFamily("meshconsole_task_queue_length", "Background tasks that no worker has taken yet.", waiting)


def _mesh() -> Iterator[Metric]:
    proxies = status.proxies()
    yield GaugeMetricFamily("meshconsole_proxies_connected", "Proxies whose agent is connected.", sum(p.connected for p in proxies))
    yield _by("meshconsole_proxies", "Proxies by sync state.", "state", Counter(p.state for p in proxies))
    running = Counter(str(p.envoy_running).lower() for p in proxies if p.connected and p.envoy_running is not None)
    yield _by("meshconsole_envoys", "Envoys of connected agents by whether they run.", "running", running)
    healthy = Counter(str(w.healthy).lower() for w in registry.workloads())
    yield _by("meshconsole_workloads", "Workloads by health.", "healthy", healthy)
    yield GaugeMetricFamily("meshconsole_configuration_revision", "The newest revision.", store.latest())
    yield GaugeMetricFamily("meshconsole_web_processes", "Web processes that give signs of life.", len(beats.alive()))


def _authority() -> Iterator[Metric]:
    root = GaugeMetricFamily("meshconsole_ca_root_expiry_timestamp_seconds", "When a trust root ends.", labels=["generation", "state"])
    issuer = GaugeMetricFamily(
        "meshconsole_ca_issuer_expiry_timestamp_seconds", "When the certificate that signs workloads ends.", labels=["generation", "state"]
    )
    for found in ca.roots():
        if found.state != "removed":
            root.add_metric([str(found.generation), str(found.state)], found.not_after.timestamp())
        for one in found.intermediates:
            if one.state != "removed" and one.not_after is not None:
                issuer.add_metric([str(one.number), str(one.state)], one.not_after.timestamp())
    yield from (root, issuer)
    now = timezone.now()
    credentials = [left for kind, _, left in ca.ends(now) if kind == "credential"]
    if credentials:
        text = "When the first of the certificates in Secrets ends."
        yield GaugeMetricFamily("meshconsole_credential_expiry_timestamp_seconds", text, now.timestamp() + min(credentials))
    yield _by("meshconsole_expiring", "What ends soon and should be seen to.", "kind", Counter(e.kind for e in ca.expiring(now)))


def _store() -> Iterator[Metric]:
    there = held.held()
    yield GaugeMetricFamily("meshconsole_store_series", "Label sets in the embedded store.", there.series)
    yield GaugeMetricFamily("meshconsole_store_traces", "Traces kept.", there.traces)
    yield GaugeMetricFamily("meshconsole_store_trace_bytes", "Bytes of their spans.", there.trace_bytes)


def _by(name: str, text: str, label: str, counts: "Counter[str]") -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, n in sorted(counts.items()):
        family.add_metric([value], n)
    return family


def _database() -> str:
    return str(settings.DATABASES["default"]["ENGINE"]).rpartition(".")[2]


def _queue() -> int | None:
    with (
        contextlib.suppress(redis.RedisError),
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client,
    ):
        return int(client.llen(QUEUE))  # type: ignore[arg-type]
    return None
