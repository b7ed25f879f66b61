"""
The only door by which figures are read. Its counterpart is ingest.py.

Times are unix seconds; a period is answered in whole windows of the finest size that is still kept (rollup.py). What both ends of a
call report is counted once.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from django.conf import settings

from . import golden as _golden
from .charts import METRICS, Line
from .edges import Edge, Peer, Response, failure
from .golden import Direction, Golden, Subject
from .labels import STANDARD
from .rollup import step_for
from .sized import MORE, Asked
from .stores import embedded
from .stores.errors import Refused, Unavailable
from .summary import Summary, summary

__all__ = [
    "METRICS",
    "MORE",
    "Edge",
    "Golden",
    "Line",
    "Peer",
    "Refused",
    "Response",
    "Summary",
    "Unavailable",
    "edges",
    "failure",
    "golden",
    "goldens",
    "instant",
    "series",
    "summaries",
]


def edges(start: float, end: float, namespaces: Collection[str] | None = None, *, now: float | None = None) -> list[Edge]:
    """All edges with traffic in [start, end) that touch one of `namespaces` (None: any), sorted."""
    return _store().edges(start, end, namespaces, time.time() if now is None else now)


def summaries(start: float, end: float, namespaces: Collection[str] | None = None, *, now: float | None = None) -> list[Summary]:
    """The same edges as other programs read them: names spelled out, shares and percentiles worked out."""
    return [summary(e) for e in edges(start, end, namespaces, now=now)]


def golden(
    start: float,
    end: float,
    *,
    service: str | None = None,
    workload: str | None = None,
    app: str | None = None,
    namespace: str | None = None,
    direction: Direction = "inbound",
    now: float | None = None,
) -> Golden:
    """Of one service (its host), workload or app (`<namespace>/<name>`), or of a namespace; with none of them, of the whole mesh."""
    asked = {"service": service, "workload": workload, "app": app, "namespace": namespace}
    given = {kind: name for kind, name in asked.items() if name is not None}
    found = edges(start, end, now=now)
    return _golden.of(e for e in found if all(_golden.subject(e, kind, direction) == name for kind, name in given.items()))  # type: ignore[arg-type]


def goldens(
    start: float,
    end: float,
    by: Subject,
    namespaces: Collection[str] | None = None,
    *,
    direction: Direction = "inbound",
    now: float | None = None,
) -> dict[str, Golden]:
    """The same for every service (by host), workload or app (by `<namespace>/<name>`) or namespace that had traffic: one query for a whole list."""
    return _golden.grouped(edges(start, end, namespaces, now=now), lambda e: _golden.subject(e, by, direction))


def series(
    metric: str,
    start: float,
    end: float,
    step: int | None = None,
    by: Sequence[str] = (),
    where: Mapping[str, str | Collection[str]] | None = None,
    *,
    now: float | None = None,
) -> list[Line]:
    """
    A chart: `metric` is one of METRICS or MORE; `by` and `where` name Istio's labels. `step` is in seconds, None: about 120 points; it grows to
    what is still kept. The newest, unfinished 10 s are left out. Raises ValueError.
    """
    if metric not in METRICS and metric not in MORE:
        raise ValueError(f"metric is {metric!r}; it may be {', '.join((*METRICS, *MORE))}")
    if unknown := sorted({*by, *(where or ())} - set(STANDARD)):
        raise ValueError(f"{', '.join(unknown)}: no label of Istio's standard metrics")
    if not start < end:
        raise ValueError(f"the period ends ({end}) before it starts ({start})")
    now = time.time() if now is None else now
    step = step_for(start, end, now) if step is None else step
    if step < 10 or step % 10 or (end - start) / step > 11_000:
        raise ValueError(f"step is {step} s; it must be a multiple of 10 and give 11,000 points at most")
    if metric in MORE:
        return _store().more(MORE[metric], start, end, step, by, where or {}, now)
    return _store().series(metric, start, end, step, by, where or {}, now)


def instant(promql: str, at: float) -> list[tuple[Mapping[str, str], float]]:
    """(labels, value) of each series. Raises Unavailable; Refused where the query is wrong, or there is no Prometheus to ask."""
    if not settings.PROMETHEUS_URL:
        raise Refused("PROMETHEUS_URL is not set: only a Prometheus answers PromQL")
    from .stores import prometheus

    return prometheus.at(settings.PROMETHEUS_URL).instant(promql, at)


class Store(Protocol):
    """What answers: the embedded tables, or a Prometheus."""

    def edges(self, start: float, end: float, namespaces: Collection[str] | None, now: float) -> list[Edge]: ...

    def series(
        self, metric: str, start: float, end: float, step: int, by: Sequence[str], where: Mapping[str, str | Collection[str]], now: float
    ) -> list[Line]: ...

    def more(
        self, asked: Asked, start: float, end: float, step: int, by: Sequence[str], where: Mapping[str, str | Collection[str]], now: float
    ) -> list[Line]: ...


def _store() -> Store:
    if settings.PROMETHEUS_URL:
        from .stores import prometheus  # not without need: it brings a client and its dependencies

        return prometheus.at(settings.PROMETHEUS_URL)
    return embedded
