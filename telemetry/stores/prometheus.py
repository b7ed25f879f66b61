"""
The same figures from the user's own Prometheus (or what speaks its API), by PromQL. Chosen by query.py where PROMETHEUS_URL is set.

A question is answered for whole label sets with `increase()`, so that edges, golden signals and charts are folded by the same code as
the embedded store's; `increase()` extrapolates to the ends of the period, so counts are estimates, within a scrape interval's worth.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from requests.exceptions import RequestException

from telemetry import edges as figures
from telemetry import sized
from telemetry.charts import Line, lines
from telemetry.edges import Edge, Figures, Identity, Place, fold, place
from telemetry.labels import DURATION, STANDARD, Key
from telemetry.samples import ISTIO_BOUNDS
from telemetry.sized import Asked

from .dictionary import Where
from .errors import Refused, Unavailable

TIMEOUT = 30.0

_COUNTERS = {
    "istio_requests_total": figures.REQUESTS,
    "istio_tcp_sent_bytes_total": figures.SENT,
    "istio_tcp_received_bytes_total": figures.RECEIVED,
    "istio_tcp_connections_opened_total": figures.OPENED,
    f"{DURATION}_sum": figures.DURATION,
    "istio_request_bytes_sum": figures.REQUEST_BYTES,
    "istio_response_bytes_sum": figures.RESPONSE_BYTES,
}
_BY = ", ".join(STANDARD)
_BUCKET = {float(bound): i for i, bound in enumerate((*ISTIO_BOUNDS, math.inf))}


class Prometheus:
    def __init__(self, url: str) -> None:
        self._api = PrometheusConnect(url=url.rstrip("/"), timeout=TIMEOUT, method="POST")

    def edges(self, start: float, end: float, namespaces: Collection[str] | None, now: float) -> list[Edge]:
        end = min(end, now)
        seconds = max(end - start, 1.0)
        wanted = None if namespaces is None else set(namespaces)

        def ask(promql: str) -> list[dict[str, Any]]:
            return self._said(lambda: self._api.custom_query(promql, params={"time": end}))

        rows = _rows(lambda name, by: ((m["metric"], [m["value"]]) for m in ask(_increase(name, by, {}, seconds))))
        return fold(
            (at, seconds, row)
            for (_, key), row in rows.items()
            if (at := place(key)) and (wanted is None or not wanted.isdisjoint(_namespaces(at.identity)))
        )

    def series(self, metric: str, start: float, end: float, step: int, by: Sequence[str], where: Where, now: float) -> list[Line]:
        first, last = int(start // step * step), min(end, now)
        steps = [(at, float(min(at + step, last) - at)) for at in range(first, int(last), step)]

        def ask(promql: str) -> list[dict[str, Any]]:
            begin, finish = (datetime.fromtimestamp(t + step, UTC) for t in (first, steps[-1][0]))
            return self._said(lambda: self._api.custom_query_range(promql, begin, finish, str(step)))

        rows = _rows(lambda name, more: ((m["metric"], m["values"]) for m in ask(_increase(name, more, where, step)))) if steps else {}
        places = {key: place(key) for _, key in rows}
        counted = set(_once(places.items(), by))
        return lines(metric, ((at - step, key, places[key], row) for (at, key), row in rows.items() if key in counted), steps, by)

    def more(self, asked: Asked, start: float, end: float, step: int, by: Sequence[str], where: Where, now: float) -> list[Line]:
        step = step if asked.q is None else -(-step // sized.FINEST_SIZE) * sized.FINEST_SIZE  # as the embedded store
        first, last = int(start // step * step), min(end, now)
        steps = [(at, float(min(at + step, last) - at)) for at in range(first, int(last), step)]
        if not steps:
            return sized.lines(asked, (), steps, by)
        begin, finish = (datetime.fromtimestamp(t + step, UTC) for t in (first, steps[-1][0]))
        name, more = (asked.metric, "") if asked.q is None else (f"{asked.metric}_bucket", ", le")
        answer = self._said(lambda: self._api.custom_query_range(_increase(name, more, where, step), begin, finish, str(step)))
        series = ((m["metric"], m["values"]) for m in answer)
        rows: list[sized.Row]
        if asked.q is None:
            rows = [(round(at) - step, _key(labels), (float(value),)) for labels, values in series for at, value in values]
        else:
            rows = [(at - step, key, buckets) for (at, key), buckets in _buckets(series).items()]
        return sized.lines(asked, rows, steps, by)

    def instant(self, promql: str, at: float) -> list[tuple[Mapping[str, str], float]]:
        """Any query that gives a vector."""
        try:
            found = self._api.custom_query(promql, params={"time": at})
        except PrometheusApiClientException as e:
            said = str(e)
            raise (Refused if "Status Code 4" in said else Unavailable)(said[:300]) from e
        except (RequestException, ValueError, KeyError) as e:
            raise Unavailable(f"Prometheus does not answer: {str(e)[:300]}") from e
        try:
            return [(dict(each["metric"]), float(each["value"][1])) for each in found]
        except (TypeError, KeyError, IndexError, ValueError) as e:
            raise Refused("the answer is no vector") from e

    def _said(self, question: Any) -> list[dict[str, Any]]:
        try:
            return question()
        except (RequestException, PrometheusApiClientException, KeyError, ValueError) as e:
            raise Unavailable(f"Prometheus does not answer: {str(e)[:300]}") from e


@cache
def at(url: str) -> Prometheus:
    return Prometheus(url)


def _increase(name: str, more: str, where: Where, seconds: float) -> str:
    return f"sum by ({_BY}{more}) (increase({name}{_matchers(where)}[{max(round(seconds), 1)}s])) > 0"


def _matchers(where: Where) -> str:
    """The store writes '' for what Istio calls unknown in no case: values are compared as they are."""
    parts = []
    for label, value in sorted(where.items()):
        values = [value] if isinstance(value, str) else sorted(value)
        pattern = "|".join(re.escape(v) for v in values)
        parts.append(f'{label}=~"{_quoted(pattern)}"')
    return "{" + ", ".join(parts) + "}" if parts else ""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _rows(ask: Any) -> dict[tuple[int, Key], Figures]:
    """(time, label set) -> figures, out of one question per counter and one for the buckets."""
    found: dict[tuple[int, Key], list[float]] = {}

    def row(at: float, key: Key) -> list[float]:
        return found.setdefault((round(at), key), list(figures.NOTHING))

    for name, position in _COUNTERS.items():
        for labels, values in ask(name, ""):
            key = _key(labels)
            for at, value in values:
                row(at, key)[position] = float(value) if position == figures.DURATION else round(float(value))
    for (at, key), buckets in _buckets(ask(f"{DURATION}_bucket", ", le")).items():
        row(at, key)[figures.BUCKETS :] = buckets
    return {key: tuple(values) for key, values in found.items()}


def _buckets(series: Iterable[tuple[dict[str, str], Iterable[Any]]]) -> dict[tuple[int, Key], list[int]]:
    """(time, label set) -> what fell into each bucket, out of cumulative ones."""
    cumulative: dict[tuple[int, Key], dict[int, float]] = {}
    for labels, values in series:
        bucket = _BUCKET.get(float(labels.get("le", "nan")))
        if bucket is None:
            continue  # bounds that are not Istio's: a quantile over a mixture would be wrong
        key = _key(labels)
        for at, value in values:
            cumulative.setdefault((round(at), key), {})[bucket] = float(value)
    found: dict[tuple[int, Key], list[int]] = {}
    for where, by_bucket in cumulative.items():
        into, below = found.setdefault(where, []), 0
        for bucket in range(len(_BUCKET)):
            upto = max(round(by_bucket.get(bucket, 0.0)), below)  # a bucket that is missing has not moved
            into.append(upto - below)
            below = upto
    return found


def _key(labels: dict[str, str]) -> Key:
    return tuple(labels.get(name, "") for name in STANDARD)


def _once(places: Iterable[tuple[Key, Place]], by: Sequence[str]) -> Iterator[Key]:
    """As the embedded store: the destination's report only where no source reports the pair."""
    known = list(places)
    by_source = {at.identity.ends for _, at in known if at.by_source}
    return (key for key, at in known if "reporter" in by or at.by_source or at.identity.ends not in by_source)


def _namespaces(identity: Identity) -> tuple[str, str, str]:
    source, destination = identity.pair
    return source.namespace, destination.namespace, identity.service[2]
