"""From two scrapes of Envoy's counters to what was counted between them. Pure."""

from collections.abc import Callable, Iterator

from telemetry import exposition
from telemetry.samples import ISTIO_BOUNDS, Batch, Counter, Histogram

from . import packed
from .labels import cluster_tags

PREFIX = "envoy_"
"""Envoy's own prefix for all its names; Istio's names come without."""

WANTED = "^(istio|cluster\\..*\\.grpc\\.)"
"""What is read of Envoy's stats, by their own names."""
GRPC = "cluster_grpc_"
MESSAGES = {f"{GRPC}{side}_message_count": f"istio_{side}_messages_total" for side in ("request", "response")}
"""Envoy counts gRPC messages per cluster."""

Totals = dict[str, float]
"""A series as Envoy writes it -> its value. Unparsed: most series have not moved since the last scrape."""

Labels = dict[str, str]
Expand = Callable[[Labels], Labels]


def read(text: str) -> Totals:
    """Raises exposition.Unreadable."""
    return {key: exposition.number(value) for key, value in exposition.lines(text)}


def between(old: Totals, new: Totals, start: float, end: float, expand: Expand) -> Batch | None:
    """What was counted from `old` to `new`, with Istio's labels; None when nothing was."""
    moved = {key: value - old.get(key, 0.0) for key, value in new.items() if value != old.get(key, 0.0)}
    return batch(moved, start, end, expand) if moved else None


def _series(key: str) -> tuple[str, Labels]:
    """By Istio's name."""
    name, tags = exposition.series(key)
    name = name.removeprefix(PREFIX)
    return (MESSAGES[name], cluster_tags(tags.get("envoy_cluster_name", ""))) if name in MESSAGES else (name, tags)


def figures(totals: Totals) -> Iterator[tuple[str, Labels, float]]:
    """All that these series say: (Istio's name, tags, value)."""
    yield from packed.taken_apart((*_series(key), value) for key, value in totals.items())


def batch(moved: Totals, start: float, end: float, expand: Expand) -> Batch:
    counters: dict[tuple, Counter] = {}
    shapes: dict[tuple, dict[str, float]] = {}
    for name, tags, value in figures(moved):
        for suffix in ("_bucket", "_sum", "_count"):
            if name.endswith(suffix) and not name.endswith("_total"):
                bound = tags.pop("le", suffix)
                shape = shapes.setdefault((name.removesuffix(suffix), tuple(tags.items())), {})
                shape[bound] = shape.get(bound, 0.0) + value
                break
        else:
            labels = expand(tags)
            same = (name, tuple(labels.items()))
            before = counters[same].value if same in counters else 0.0
            counters[same] = Counter(name, labels, before + value)
    histograms = tuple(_histogram(name, expand(dict(tags)), shape) for (name, tags), shape in shapes.items())
    return Batch(start, end, tuple(counters.values()), histograms)


def _histogram(name: str, labels: Labels, shape: dict[str, float]) -> Histogram:
    """Prometheus' buckets are cumulative; a series that is missing has not moved, and so holds nothing new."""
    at_most = {float(bound): value for bound, value in shape.items() if bound not in ("_sum", "_count")}
    buckets, below = [], 0
    for bound in (*ISTIO_BOUNDS, float("inf")):
        upto = int(at_most.get(bound, 0))
        buckets.append(max(upto - below, 0))
        below = max(upto, below)
    return Histogram(name, labels, tuple(buckets), shape.get("_sum", 0.0), int(shape.get("_count", below)))


def merge(first: Batch, second: Batch) -> Batch:
    """Both as one: exact, only coarser in time."""
    counters: dict[tuple, Counter] = {}
    for c in (*first.counters, *second.counters):
        key = (c.name, tuple(sorted(c.labels.items())))
        counters[key] = Counter(c.name, c.labels, c.value + (counters[key].value if key in counters else 0.0))
    histograms: dict[tuple, Histogram] = {}
    for h in (*first.histograms, *second.histograms):
        key = (h.name, tuple(sorted(h.labels.items())))
        old = histograms.get(key)
        if old:
            h = Histogram(
                h.name, h.labels, tuple(a + b for a, b in zip(old.buckets, h.buckets, strict=True)), old.sum + h.sum, old.count + h.count
            )
        histograms[key] = h
    return Batch(
        min(first.start, second.start), max(first.end, second.end), tuple(counters.values()), tuple(histograms.values()), first.bounds
    )


def families(totals: Totals, expand: Expand) -> list[exposition.Family]:
    """For Prometheus: all that Envoy has counted, with Istio's names and labels."""
    found: dict[str, tuple[str, dict[tuple, float]]] = {}
    for name, tags, value in sorted(figures(totals), key=lambda each: (each[0], *each[1].items())):
        suffix = "" if name.endswith("_total") else next((s for s in ("_bucket", "_sum", "_count") if name.endswith(s)), "")
        bound = tags.pop("le", None)
        labels = expand(tags) | ({"le": bound} if bound is not None else {})
        type_ = "histogram" if suffix else "counter"
        _, values = found.setdefault(name.removesuffix(suffix), (type_, {}))
        same = (name, tuple(labels.items()))
        values[same] = values.get(same, 0.0) + value
    return [
        exposition.Family(family, type_, "", tuple(exposition.Sample(name, dict(labels), v) for (name, labels), v in values.items()))
        for family, (type_, values) in found.items()
    ]
