"""Health of what is drawn: shares of failing requests against tolerances, and the state of instances. Kiali's defaults and order."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from .graph import Health, Instance, Status

RANK: dict[Status, int] = {"failure": 4, "degraded": 3, "notReady": 2, "healthy": 1, "none": 0}

Responses = Mapping[tuple[str, str], int]
"""(protocol, HTTP code or gRPC status) -> requests; the code is `-` where there was no response."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Shares of requests are in percent; 0 degrades at the first failing request."""

    code: str
    """A regular expression; X stands for any digit. It must match the whole code."""
    protocol: str
    """A regular expression: http, grpc or `http|grpc`."""
    degraded: float
    failure: float
    direction: str = "inbound|outbound"

    def covers(self, protocol: str, code: str, direction: str) -> bool:
        return all(
            re.fullmatch(pattern, text)
            for pattern, text in ((self.protocol, protocol), (re.sub("[xX]", r"\\d", self.code), code), (self.direction, direction))
        )


DEFAULTS: tuple[Tolerance, ...] = (
    Tolerance("5XX", "http", degraded=0, failure=10),
    Tolerance("4XX", "http", degraded=10, failure=20),
    Tolerance("[1-9]|1[0-6]", "grpc", degraded=0, failure=10),
    Tolerance("-", "http|grpc", degraded=0, failure=10),
)

NONE = Health()
HEALTHY = Health("healthy")


@lru_cache(maxsize=4096)
def _covering(tolerances: tuple[Tolerance, ...], protocol: str, code: str, direction: str) -> tuple[int, ...]:
    return tuple(i for i, t in enumerate(tolerances) if t.covers(protocol, code, direction))


def of_requests(responses: Responses, direction: str, tolerances: tuple[Tolerance, ...] = DEFAULTS) -> Health:
    """Per protocol and tolerance: the share of matching requests; the worst wins. Without requests: none."""
    failing: dict[tuple[int, str], int] = {}
    for (protocol, code), n in responses.items():
        for i in _covering(tolerances, protocol, code, direction):
            failing[i, protocol] = failing.get((i, protocol), 0) + n
    if not failing:
        return HEALTHY if any(responses.values()) else NONE
    totals: dict[str, int] = {}
    for (protocol, _), n in responses.items():
        totals[protocol] = totals.get(protocol, 0) + n
    found = []
    for (i, protocol), n in sorted(failing.items()):
        status, limit = _judge(tolerances[i], share := 100 * n / totals[protocol])
        if status != "healthy":
            what = (
                "no response" if tolerances[i].code == "-" else f"gRPC {tolerances[i].code}" if protocol == "grpc" else tolerances[i].code
            )
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
