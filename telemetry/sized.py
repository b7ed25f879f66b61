"""Charts of what edges do not need: percentiles of sizes, gRPC messages, TCP connections that closed. Pure; the stores bring the rows."""

from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from .charts import Line
from .histogram import quantile
from .labels import STANDARD, Key


class Asked(NamedTuple):
    metric: str
    """Istio's name."""
    q: float | None = None
    """The quantile of a histogram; None for a counter, of which the rate is told."""


MORE: dict[str, Asked] = {
    "request_messages": Asked("istio_request_messages_total"),
    "response_messages": Asked("istio_response_messages_total"),
    "closed_connections": Asked("istio_tcp_connections_closed_total"),
    **{
        f"{side}_size_p{round(q * 100)}": Asked(f"istio_{side}_bytes", q)
        for side in ("request", "response")
        for q in (0.5, 0.9, 0.95, 0.99)
    },
}
"""Rates are per second; sizes are bytes, None where there were no requests."""

FINEST_SIZE = 60
"""Seconds of the finest windows that histograms of sizes are kept in."""

Row = tuple[int, Key, Sequence[float]]
"""When its step begins, its labels, and its amount or its buckets."""


def lines(asked: Asked, rows: Iterable[Row], steps: Sequence[tuple[int, float]], by: Sequence[str] = ()) -> list[Line]:
    """One line per combination of the labels `by`, sorted. What both ends report is counted once, unless the reporter is asked for."""
    positions = [STANDARD.index(label) for label in by]
    groups: dict[tuple[str, ...], dict[int, Sequence[float]]] = {}
    for at, key, values in rows if "reporter" in by else _once(list(rows)):
        group = groups.setdefault(tuple(key[i] for i in positions), {})
        there = group.get(at)
        group[at] = values if there is None else tuple(map(add, there, values))
    if not by and not groups:
        groups[()] = {}
    return [
        Line(dict(zip(by, names, strict=True)), tuple((at, _value(asked, found.get(at), seconds)) for at, seconds in steps))
        for names, found in sorted(groups.items())
    ]


def _value(asked: Asked, values: Sequence[float] | None, seconds: float) -> float | None:
    if asked.q is not None:
        return quantile(asked.q, [round(v) for v in values]) if values else None
    return values[0] / seconds if values else 0.0


_REPORTER, _SERVICE = STANDARD.index("reporter"), STANDARD.index("destination_service")


def _once(rows: Sequence[Row]) -> list[Row]:
    """The destination's word only for services that no source reports: gRPC messages name no peer by which pairs could be told apart."""
    told = {key[_SERVICE] for _, key, _ in rows if key[_REPORTER] == "source"}
    return [row for row in rows if row[1][_REPORTER] == "source" or row[1][_SERVICE] not in told]
