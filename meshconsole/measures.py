"""
What this process counts of its own work, and what was counted by all processes of one console: the lower half of `/metrics`.

With PROMETHEUS_MULTIPROC_DIR (the commands `web` and `worker` set it) every process writes to files of its own there, and whichever is asked
answers for all of them; without it a process answers for itself. Names are told in docs/metrics.md; they hold no name of any workload.
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

REGISTRY = CollectorRegistry()

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG = (0.1, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0, 1800.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"meshconsole_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str) -> Gauge:
    return Gauge(f"meshconsole_{name}", text, registry=REGISTRY, multiprocess_mode="livesum")


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _QUICK) -> Histogram:
    return Histogram(f"meshconsole_{name}", text, labels, registry=REGISTRY, buckets=buckets)


# The hub
AGENTS = _gauge("agents_connected", "Agents with a connection.")
PUSH_SECONDS = _histogram("push_seconds", "From the news of a change to one proxy's ACK.")
PUSHES = _counter("pushes", "Answers to pushes.", "result")
NACKS = _counter("push_nacks", "Refusals by Envoy, per xDS type.", "type")
AWAITED = _gauge("push_queue_depth", "Proxies that a change is on its way to: compiled for them, and not yet answered.")
COMPILE_SECONDS = _histogram("compile_seconds", "Compiling for up to 500 proxies together.")
COMPILE_FAILURES = _counter("compile_failures", "Proxies whose configuration could not be compiled.")
REFUSED_AGENTS = _counter("agents_refused", "Agents that were turned away.", "code")

# The authority
CERTIFICATES = _counter("certificates_issued", "Workload certificates signed.")

# What agents send
BATCHES = _counter("ingest_batches", "Batches of metrics.", "result")
INGEST_SECONDS = _histogram("ingest_seconds", "Storing one batch of metrics.")
INGEST_LAG = _histogram("ingest_lag_seconds", "From the end of what a batch counts until it is stored.", buckets=_LONG)
INGEST_WAITING = _gauge("ingest_queue_depth", "Batches of metrics that wait to be stored.")
SPANS = _counter("spans", "Spans stored.")
SPAN_BYTES_DROPPED = _counter("span_bytes_dropped", "Bytes of spans that had to be dropped, here or at agents.")
LOG_RECORDS = _counter("access_log_records", "Access-log records stored.")
LOG_BYTES_DROPPED = _counter("access_log_bytes_dropped", "Bytes of access logs that had to be dropped, here or at agents.")

# The worker
TASKS = _counter("tasks", "Background tasks that ended.", "task", "state")
TASK_SECONDS = _histogram("task_seconds", "How long background tasks took.", "task", buckets=_LONG)

if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    ProcessCollector(registry=REGISTRY)


def registry() -> CollectorRegistry:
    """To answer a scrape with: for all processes that share a folder, or for this one."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return REGISTRY
    for pid in pids(folder):
        if not runs(pid):
            mark_process_dead(pid)  # its gauges; what it counted stays counted
    found = CollectorRegistry()
    MultiProcessCollector(found)
    return found


def pids(folder: str | Path) -> set[int]:
    """The processes that have files there, living or not."""
    words = (path.stem.rpartition("_")[2] for path in Path(folder).glob("*.db"))
    return {int(word) for word in words if word.isdigit()}


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _signalled(pid)


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as e:
        return isinstance(e, PermissionError)
    return True
