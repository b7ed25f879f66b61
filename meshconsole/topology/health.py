"""Health of what is drawn: shares of failing requests against tolerances, and the state of instances. Kiali's defaults and order."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from .graph import Health, Instance, Status

RANK: dict[Status, int] = {"failure": 4, "degraded": 3, "notReady": 2, "healthy": 1, "none": 0}

Responses = Mapping[tuple[str, str], int]
"""(protocol, HTTP code or gRPC status) -> requests; the code is `-` where there was no response."""


BOTH = "inbound|outbound"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Shares of requests are in percent; 0 degrades at the first failing request."""

    code: str
    """A regular expression; X stands for any digit. It must match the whole code."""
    protocol: str
    """A regular expression: http, grpc or `http|grpc`."""
    degraded: float
    failure: float
    direction: str = BOTH

    def covers(self, protocol: str, code: str, direction: str) -> bool:
        return all(
            re.fullmatch(pattern, text)
            for pattern, text in ((self.protocol, protocol), (re.sub("[xX]", r"\\d", self.code), code), (self.direction, direction))
        )


class Tolerances:
    """Several, each code looked at once: an answer is judged ten thousand times per graph."""

    def __init__(self, *every: Tolerance) -> None:
        self.every = every
        self.directed = any(t.direction != BOTH for t in every)
        """Do inbound and outbound differ at all?"""
        self._covering: dict[tuple[str, str, str], tuple[Tolerance, ...]] = {}

    def covering(self, protocol: str, code: str, direction: str) -> tuple[Tolerance, ...]:
        key = (protocol, code, direction)
        found = self._covering.get(key)
        if found is None:
            found = tuple(t for t in self.every if t.covers(*key))
            if len(self._covering) < 4096:
                self._covering[key] = found
        return found


DEFAULTS = Tolerances(
    Tolerance("5XX", "http", degraded=0, failure=10),
    Tolerance("4XX", "http", degraded=10, failure=20),
    Tolerance("[1-9]|1[0-6]", "grpc", degraded=0, failure=10),
    Tolerance("-", "http|grpc", degraded=0, failure=10),
)


def parse(given: list[dict[str, Any]]) -> Tolerances:
    """The setting HEALTH_TOLERANCES; nothing given: the defaults. Raises ValueError naming the entry."""
    every = []
    for i, entry in enumerate(given):
        try:
            tolerance = msgspec.convert(entry, Tolerance)
            if unknown := set(entry) - set(Tolerance.__slots__):
                raise ValueError(f"unknown {', '.join(sorted(unknown))}")
            for pattern in (tolerance.code, tolerance.protocol, tolerance.direction):
                re.compile(pattern)
            if not 0 <= tolerance.degraded <= tolerance.failure <= 100:
                raise ValueError("0 <= degraded <= failure <= 100 does not hold")
        except (ValueError, re.error) as e:
            raise ValueError(f"HEALTH_TOLERANCES[{i}]: {e}") from e
        every.append(tolerance)
    return Tolerances(*every) if every else DEFAULTS


NONE = Health()
HEALTHY = Health("healthy")


def of_requests(responses: Responses, direction: str, tolerances: Tolerances = DEFAULTS) -> Health:
    """Per protocol and tolerance: the share of matching requests; the worst wins. Without requests: none."""
    failing: dict[tuple[Tolerance, str], int] = {}
    for (protocol, code), n in responses.items():
        for tolerance in tolerances.covering(protocol, code, direction):
            failing[tolerance, protocol] = failing.get((tolerance, protocol), 0) + n
    if not failing:
        return HEALTHY if responses else NONE
    totals: dict[str, int] = {}
    for (protocol, _), n in responses.items():
        totals[protocol] = totals.get(protocol, 0) + n
    found = []
    for (tolerance, protocol), n in sorted(failing.items(), key=lambda item: (tolerances.every.index(item[0][0]), item[0][1])):
        status, limit = _judge(tolerance, share := 100 * n / totals[protocol])
        if status != "healthy":
            what = "no response" if tolerance.code == "-" else f"gRPC {tolerance.code}" if protocol == "grpc" else tolerance.code
            found.append((status, f"{what} {share:.3g} % of {totals[protocol]} {direction} requests ({status} {limit})"))
    return worst([Health(status, (reason,)) for status, reason in found]) if found else HEALTHY


def _judge(tolerance: Tolerance, share: float) -> tuple[Status, str]:
    if share <= 0:
        return "healthy", ""
    if share >= tolerance.failure:
        return "failure", f"from {tolerance.failure:g} %"
    if share >= tolerance.degraded:
        return "degraded", f"from {tolerance.degraded:g} %" if tolerance.degraded else "above 0 %"
    return "healthy", ""


def of_instances(instances: Iterable[Instance]) -> Health:
    every = list(instances)
    if not every:
        return NONE
    found = []
    n = len(every)
    if unhealthy := sum(1 for i in every if not i.healthy):
        status: Status = "failure" if unhealthy == n else "degraded"
        found.append(Health(status, (f"{unhealthy} of {n} instances fail their health check",)))
    if nacked := [i for i in every if i.sync == "NACKED"]:
        found.append(Health("degraded", (f"{len(nacked)} of {n} proxies refused their configuration",)))
    if away := sum(1 for i in every if not i.connected):
        found.append(Health("notReady" if away == n else "degraded", (f"{away} of {n} agents are away",)))
    return worst(found) if found else HEALTHY


def worst(healths: Iterable[Health]) -> Health:
    """The worst status with all reasons, the worst first."""
    ordered = sorted(healths, key=lambda h: -RANK[h.status])
    if not ordered:
        return NONE
    reasons = tuple(dict.fromkeys(r for h in ordered for r in h.reasons))
    return Health(ordered[0].status, reasons)
