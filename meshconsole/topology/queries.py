"""
The graph, now or then: edges from telemetry, names from discovery, sync from xds, badges from policies, brought together.

One process works a graph out once and shares it among all who ask for the same within SHARED seconds: a hundred browsers cost what one does.
"""

import contextlib
import gc
import sys
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

import msgspec
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models.signals import post_migrate

from meshconsole.configstore import mesh, store
from meshconsole.core.mesh.model import Service, Workload
from meshconsole.discovery import registry
from meshconsole.xds import status
from telemetry import query

from . import badges, health
from .build import Badges, Known, Period, build
from .compare import compare
from .diff import diff
from .graph import KINDS, Graph, GraphKind, Instance

SHARED = 1.0
"""Seconds for which a graph is everybody's; for as long again the old one is given out while the new one is made."""
SWITCH = 0.0005
"""Seconds of computing before another thread gets its turn (Python's default is 0.005), while a graph is made."""
_SWITCH_BEFORE = sys.getswitchinterval()
SHORTEST, LONGEST = 60, 30 * 86400

_background = ThreadPoolExecutor(1, thread_name_prefix="topology")


@dataclass(frozen=True)
class Question:
    window: int = 60
    kind: GraphKind = "versionedApp"
    namespaces: frozenset[str] | None = None
    at: float | None = None
    """The end of the window, unix seconds; None: now."""
    idle: bool = True

    def __post_init__(self) -> None:
        if not SHORTEST <= self.window <= LONGEST:
            raise ValueError(f"window is {self.window} s; it may be {SHORTEST} to {LONGEST}")
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; it may be {', '.join(KINDS)}")


@dataclass
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    graph: Graph | None = None
    made: float = 0.0
    json: bytes | None = None
    cost: float = 0.0
    """Seconds that it took to make."""
    refreshing: bool = False


_answers: dict[Question, _Answer] = {}
_badges: tuple[tuple[int, int], Badges] | None = None
_lock = threading.Lock()


def current(
    window: int = 60,
    kind: GraphKind = "versionedApp",
    namespaces: Collection[str] | None = None,
    at: float | None = None,
    *,
    idle: bool = True,
) -> Graph:
    """The graph of the last `window` seconds (or of those before `at`), of some namespaces (None: all). Raises ValueError."""
    question = Question(int(window), kind, None if namespaces is None else frozenset(namespaces), at, idle)
    if connection.in_atomic_block:
        return answer(question)  # what this transaction sees is nobody else's
    return _shared(question)[1]


def current_json(question: Question) -> bytes:
    """The same as JSON, encoded once for all who ask."""
    if connection.in_atomic_block:
        return encode(answer(question))
    entry, graph = _shared(question)
    if entry.json is None or entry.graph is not graph:
        body = encode(graph)
        if entry.graph is graph:
            entry.json = body
        return body
    return entry.json


def compare_json(question: Question, ago: int) -> bytes:
    """What changed since `ago` seconds before the question's moment; described in compare.py."""
    end = question.at if question.at is not None else time.time() // 10 * 10
    before = replace(question, at=float(end - ago))
    now = answer(question) if connection.in_atomic_block else _shared(question)[1]
    then = answer(before) if connection.in_atomic_block else _shared(before)[1]
    return msgspec.json.encode(compare(then, now))


def strip(namespaces: Collection[str] | None, start: float, end: float, points: int = 120) -> dict[str, object]:
    """How busy and how broken the mesh was: {start, end, step, rate: [requests/s], errors: [share]}, for the time slider."""
    width = max(10, round((end - start) / points / 10) * 10)
    where = {} if namespaces is None else {"destination_workload_namespace": sorted(namespaces)}
    drawn = {}
    for metric in ("requests", "error_share"):
        found = query.series(metric, start, end, width, (), where)
        drawn[metric] = found[0].points if found else []
    first = drawn["requests"][0][0] if drawn["requests"] else start
    rate = [value or 0.0 for _, value in drawn["requests"]]
    errors = [value or 0.0 for _, value in drawn["error_share"]] or [0.0] * len(rate)
    return {"start": first, "end": end, "step": width, "rate": [round(v, 3) for v in rate], "errors": [round(v, 4) for v in errors]}


def encode(graph: Graph) -> bytes:
    return msgspec.json.encode(graph)


def answer(question: Question, now: float | None = None) -> Graph:
    """Work it out, without sharing."""
    now = time.time() if now is None else now
    end = now if question.at is None else min(question.at, now)
    known = _known()
    with _unswept():
        return build(
            query.edges(end - question.window, end, question.namespaces, now=now),
            known,
            Period(question.window, _iso(end - question.window), _iso(end)),
            question.kind,
            question.namespaces,
            idle=question.idle,
            tolerances=_tolerances(),
        )


@cache
def _tolerances() -> health.Tolerances:
    return health.parse(settings.HEALTH_TOLERANCES)


_making = 0


@contextlib.contextmanager
def _unswept() -> Iterator[None]:
    """
    Without the cyclic garbage collector: a large graph is a hundred thousand small values and no cycle, and half of its time went into
    sweeps. And with frequent turns for the other threads: this one computes, they only want to answer a request.
    """
    global _making
    with _lock:
        _making += 1
        gc.disable()
        sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        with _lock:
            _making -= 1
            if not _making:
                gc.enable()
                sys.setswitchinterval(_SWITCH_BEFORE)


_changes: dict[tuple[int, int], tuple[Graph, Graph, bytes]] = {}


def change(old: Graph, new: Graph) -> bytes:
    """`{"diff": …}` from one graph to the next, encoded once for all who go from the same to the same."""
    known = _changes.get((id(old), id(new)))
    if known is not None and known[0] is old and known[1] is new:
        return known[2]
    body = b'{"diff":' + msgspec.json.encode(diff(old, new)) + b"}"
    with _lock:
        while len(_changes) >= 16:
            del _changes[next(iter(_changes))]
        _changes[id(old), id(new)] = (old, new, body)
    return body


def forget(**_: object) -> None:
    global _badges
    with _lock:
        _answers.clear()
        _changes.clear()
        _badges = None


post_migrate.connect(forget, dispatch_uid="topology")  # the tables were made, or flushed


def _known() -> Known:
    version = (store.latest(), registry.number())
    workloads, services = registry.workloads(), registry.services()
    instances = {p.id: Instance(p.id, p.state, p.connected, True, p.error) for p in status.proxies()}
    return Known(services, workloads, instances, _badges_of(version, services, workloads))


def _badges_of(version: tuple[int, int], services: list[Service], workloads: list[Workload]) -> Badges:
    """Worked out once per change of policies or workloads."""
    global _badges
    kept = _badges
    if kept is not None and kept[0] == version and not connection.in_atomic_block:
        return kept[1]
    found = badges.of(store.resources(), services, workloads, mesh.config())
    if not connection.in_atomic_block:
        _badges = (version, found)
    return found


def _lifetime(question: Question, cost: float) -> float:
    """A long window moves slowly: 30 days may be a minute old. What is past does not move. No graph takes more than a fifth of a core."""
    if question.at is not None:
        return 60.0
    return max(SHARED, min(question.window / 1800, 60.0), 5 * cost)


def _shared(question: Question) -> tuple[_Answer, Graph]:
    with _lock:
        entry = _answers.get(question)
        if entry is None:
            while len(_answers) >= 64:
                del _answers[next(iter(_answers))]
            entry = _answers[question] = _Answer()
    life, clock = _lifetime(question, entry.cost), time.monotonic()
    graph, age = entry.graph, clock - entry.made
    if graph is not None and age < life:
        return entry, graph
    if graph is not None and age < 2 * life:
        _refresh(question, entry)
        return entry, graph
    with entry.lock:
        if entry.graph is None or time.monotonic() - entry.made >= life:
            _make(question, entry)
        assert entry.graph is not None
        return entry, entry.graph


def _make(question: Question, entry: _Answer) -> None:
    started = time.monotonic()
    graph = answer(question)
    entry.graph, entry.json, entry.made, entry.cost = graph, None, started, time.monotonic() - started


def _refresh(question: Question, entry: _Answer) -> None:
    with _lock:
        if entry.refreshing:
            return
        entry.refreshing = True
    _background.submit(_refreshed, question, entry)


def _refreshed(question: Question, entry: _Answer) -> None:
    try:
        with entry.lock:
            _make(question, entry)
    finally:
        entry.refreshing = False
        close_old_connections()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
