"""Lines over time out of figures per step: what a chart shows of one metric. Pure; the stores bring the rows."""

from collections.abc import Callable, Iterable, Sequence
from operator import add

import msgspec

from .edges import (
    BUCKETS,
    DURATION,
    NOTHING,
    OPENED,
    RECEIVED,
    REQUEST_BYTES,
    REQUESTS,
    RESPONSE_BYTES,
    SENT,
    Figures,
    Place,
    Response,
    failure,
)
from .histogram import quantile
from .labels import STANDARD, Key


class Total:
    """Figures added up, with their errors told apart."""

    __slots__ = ("errors_4xx", "errors_5xx", "figures")

    def __init__(self) -> None:
        self.figures: Figures = NOTHING
        self.errors_4xx = self.errors_5xx = 0

    def add(self, at: Place, figures: Figures) -> None:
        self.figures = tuple(map(add, self.figures, figures))
        if requests := figures[REQUESTS]:
            match failure(Response(at.code, at.grpc_status, at.flags, requests)):
                case 4:
                    self.errors_4xx += requests
                case 5:
                    self.errors_5xx += requests

    @property
    def error_share(self) -> float | None:
        return self._of_requests(self.errors_4xx + self.errors_5xx)

    @property
    def mean(self) -> float | None:
        return self._of_requests(self.figures[DURATION])

    def quantile(self, q: float) -> float | None:
        return quantile(q, self.figures[BUCKETS:])

    def _of_requests(self, amount: float) -> float | None:
        return amount / self.figures[REQUESTS] if self.figures[REQUESTS] else None


METRICS: dict[str, Callable[[Total, float], float | None]] = {
    "requests": lambda t, s: t.figures[REQUESTS] / s,
    "errors": lambda t, s: (t.errors_4xx + t.errors_5xx) / s,
    "error_share": lambda t, s: t.error_share,
    "errors_4xx": lambda t, s: t.errors_4xx / s,
    "errors_5xx": lambda t, s: t.errors_5xx / s,
    "mean": lambda t, s: t.mean,
    "p50": lambda t, s: t.quantile(0.5),
    "p90": lambda t, s: t.quantile(0.9),
    "p95": lambda t, s: t.quantile(0.95),
    "p99": lambda t, s: t.quantile(0.99),
    "request_bytes": lambda t, s: t.figures[REQUEST_BYTES] / s,
    "response_bytes": lambda t, s: t.figures[RESPONSE_BYTES] / s,
    "tcp_sent": lambda t, s: t.figures[SENT] / s,
    "tcp_received": lambda t, s: t.figures[RECEIVED] / s,
    "connections": lambda t, s: t.figures[OPENED] / s,
}
"""Rates are per second, durations in ms, shares 0..1; None where there were no requests to speak of."""


class Line(msgspec.Struct, frozen=True):
    labels: dict[str, str]
    points: tuple[tuple[int, float | None], ...]
    """(unix seconds at which the step begins, value)"""


def lines(
    metric: str,
    rows: Iterable[tuple[int, Key, Place, Figures]],
    steps: Sequence[tuple[int, float]],
    by: Sequence[str] = (),
) -> list[Line]:
    """One line per combination of the labels `by`, sorted. `steps` are (start, seconds counted in it); a step without rows is 0 or None."""
    value = METRICS[metric]
    positions = [STANDARD.index(label) for label in by]
    groups: dict[tuple[str, ...], dict[int, Total]] = {}
    for at, key, place, figures in rows:
        group = groups.setdefault(tuple(key[i] for i in positions), {})
        total = group.get(at)
        if total is None:
            total = group[at] = Total()
        total.add(place, figures)
    if not by and not groups:
        groups[()] = {}
    empty = Total()
    return [
        Line(
            dict(zip(by, names, strict=True)),
            tuple((at, value(totals.get(at, empty), seconds)) for at, seconds in steps),
        )
        for names, totals in sorted(groups.items())
    ]
