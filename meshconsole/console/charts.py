"""What chart.js draws: golden signals over time, with a flag where the configuration changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from telemetry import query

from . import figures
from .scope import Scope

Where = Mapping[str, str | Sequence[str]]
Chart = dict[str, Any]
"""start, step (seconds), series [{name, points, tone}], markers [{at, label, url}]: JSON for the browser."""


def _chart(lines: Iterable[tuple[str, query.Line | None, int]], markers: Sequence[Any] = (), end: float = 0) -> Chart:
    series, start, step = [], 0, 10
    for name, line, tone in lines:
        if line is None:
            continue
        if len(line.points) > 1:
            start, step = line.points[0][0], line.points[1][0] - line.points[0][0]
        series.append({"name": name, "tone": tone, "points": [None if v is None else round(v, 4) for _, v in line.points]})
    flags = [
        {
            "at": r.created.timestamp(),
            "label": f"Revision {r.number} by {r.author}: {r.message or 'no message'}",
            "url": reverse("change", args=[r.number]),
        }
        for r in markers
        if start <= r.created.timestamp() <= end
    ]
    return {"start": start, "step": step, "series": series, "markers": flags}


def _line(metric: str, scope: Scope, where: Where) -> query.Line | None:
    return next(iter(query.series(metric, scope.start, scope.end, None, (), dict(where), now=scope.end)), None)


def _golden(scope: Scope, where: Where, revisions: Sequence[Any]) -> dict[str, Chart]:
    return {
        "rate": _chart([("Requests", _line("requests", scope, where), 1)], revisions, scope.end),
        "errors": _chart(
            [("4xx", _line("errors_4xx", scope, where), 3), ("5xx and no answer", _line("errors_5xx", scope, where), 5)],
            revisions,
            scope.end,
        ),
        "latency": _chart([(p, _line(p, scope, where), tone) for p, tone in (("p50", 2), ("p95", 1), ("p99", 4))], revisions, scope.end),
    }


def golden(scope: Scope, namespaces: Sequence[str] | None, revisions: Sequence[Any]) -> dict[str, Chart]:
    return _golden(scope, {} if namespaces is None else {"destination_service_namespace": namespaces}, revisions)


def of_service(scope: Scope, host: str, revisions: Sequence[Any]) -> dict[str, Chart]:
    found = _golden(scope, {"destination_service": host}, revisions)
    versions = query.series(
        "requests", scope.start, scope.end, None, ("destination_workload",), {"destination_service": host}, now=scope.end
    )
    found["workloads"] = _chart(
        [(line.labels["destination_workload"].replace("unknown", "no workload"), line, n % 6 + 1) for n, line in enumerate(versions)],
        revisions,
        scope.end,
    )
    return found


def of_workload(scope: Scope, namespace: str, name: str, direction: str, revisions: Sequence[Any]) -> dict[str, Chart]:
    end = "source" if direction == "outbound" else "destination"
    where = {f"{end}_workload": name, f"{end}_workload_namespace": namespace}
    return _golden(scope, where, revisions) | {
        "bytes": _chart(
            [("Requests", _line("request_bytes", scope, where), 1), ("Responses", _line("response_bytes", scope, where), 2)],
            revisions,
            scope.end,
        )
    }


@dataclass(frozen=True)
class Trend:
    """Requests per second over time: the small line of a list, and where it stands now."""

    points: tuple[float | None, ...] = ()
    step: int = 10

    @property
    def now(self) -> float | None:
        """The mean of the last minute, or of the last step where steps are longer: unlike that of the whole span, it is what goes on now."""
        known = [v for v in self.points[-max(1, round(60 / self.step)) :] if v is not None]
        return sum(known) / len(known) if known else None


def _trend(line: query.Line) -> Trend:
    points = line.points
    return Trend(tuple(v for _, v in points), points[1][0] - points[0][0] if len(points) > 1 else 10)


def trend(chart: Chart) -> Trend:
    """Of the first line of a chart."""
    return Trend(tuple(chart["series"][0]["points"]), chart["step"]) if chart["series"] else Trend()


def trends(scope: Scope, namespaces: Sequence[str] | None, by: tuple[str, ...] = ("destination_service",)) -> dict[tuple[str, ...], Trend]:
    """By some labels: of every service, or of every workload."""
    where: Where = {} if namespaces is None else {"destination_service_namespace": namespaces}
    lines = query.series("requests", scope.start, scope.end, None, by, dict(where), now=scope.end)
    return {tuple(line.labels[label] for label in by): _trend(line) for line in lines}


def shares(targets: Sequence[tuple[str, query.Golden]]) -> list[dict[str, Any]]:
    """How traffic is spread over workloads: widths of a stacked bar."""
    total = sum(g.requests for _, g in targets) or 1
    said, at = [], 0.0
    for n, (name, g) in enumerate(targets):
        share = g.requests / total
        said.append(
            {
                "name": name,
                "share": share,
                "x": f"{at * 100:.2f}",
                "width": f"{share * 100:.2f}",
                "tone": n % 6 + 1,
                "text": figures.percent(share),
            }
        )
        at += share
    return said
