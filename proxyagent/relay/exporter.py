"""The text that Prometheus scrapes: Istio's metrics of this Envoy, Envoy's own, the agent's, and the application's, as one page."""

import contextlib
import logging
import resource
import time
from collections.abc import Callable

from telemetry import exposition

from .. import admin, fetching
from . import counting
from .counting import GRPC, PREFIX
from .metrics import Relay

log = logging.getLogger("proxyagent.metrics")

SCRAPE = "/stats/prometheus?usedonly"
RESERVED = ("istio_", "envoy_", "meshconsole_agent_")
"""Families that an application may not report: they are said of the mesh by the mesh."""


class Expiry:
    """Which of Envoy's series are still told: those of peers long gone are left out, until they count again. Pure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[str, tuple[float, float]] = {}
        """Tags -> (sum of the counters with these tags, when it last moved)."""

    def living(self, totals: counting.Totals, now: float) -> counting.Totals:
        if not self._seconds:
            return totals
        sums: dict[str, float] = {}
        for key, value in totals.items():
            name, tags = _split(key)
            if name.endswith("_total"):
                sums[tags] = sums.get(tags, 0.0) + value
        last = self._last
        self._last = {tags: before if (before := last.get(tags)) and before[0] == total else (total, now) for tags, total in sums.items()}
        gone = {tags for tags, (_, at) in self._last.items() if now - at > self._seconds}
        return {key: value for key, value in totals.items() if _split(key)[1] not in gone} if gone else totals


def _split(key: str) -> tuple[str, str]:
    """Name, and tags without the bound of a bucket, which Envoy writes last."""
    name, _, tags = key.partition("{")
    return name, tags.rstrip("}").rpartition('le="')[0].rstrip(",") if name.endswith("_bucket") else tags.rstrip("}")


class Exporter:
    def __init__(self, relay: Relay, admin: str, application: str, expiry: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._relay, self._admin, self._clock = relay, admin, clock
        self._application = fetching.address(application) if application else None
        self._expiry = Expiry(expiry)
        self._failures = 0
        self._answers = 0.0

    async def page(self) -> str:
        mesh = ""
        if self._relay.envoy_runs:
            with contextlib.suppress(admin.Unavailable, exposition.Unreadable):
                mesh = self._mesh((await admin.request(self._admin, SCRAPE)).decode())
        theirs = await self._theirs() if self._application else ""
        return mesh + exposition.write(self._about_itself()) + theirs

    def _mesh(self, text: str) -> str:
        """Envoy's page: what the access loggers count under Istio's names, the rest as it is."""
        istio, rest = [], []
        for line in text.splitlines():
            if not line.removeprefix("# TYPE ").startswith(("envoy_istio_", PREFIX + GRPC)):
                rest.append(line)
            elif line[0] != "#":
                istio.append(line)
        totals = self._expiry.living(counting.read("\n".join(istio)), self._clock())
        return exposition.write(counting.families(totals, self._relay.expand)) + "\n".join([*rest, ""] if rest else [])

    async def _theirs(self) -> str:
        assert self._application is not None
        try:
            text = await fetching.get(self._application, accept="text/plain;version=0.0.4")
        except fetching.Failed as e:
            self._failures += 1
            self._answers = 0.0
            log.info("the application's metrics: %s", e)
            return ""
        self._answers = 1.0
        return foreign(text.decode(errors="replace"))

    def _about_itself(self) -> list[exposition.Family]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        figures = [
            *self._relay.figures(),
            ("meshconsole_agent_cpu_seconds_total", "counter", "CPU time of the agent", usage.ru_utime + usage.ru_stime),
            ("meshconsole_agent_memory_max_bytes", "gauge", "The most memory that the agent has held", usage.ru_maxrss * 1024.0),
        ]
        if self._application:
            figures += [
                ("meshconsole_agent_application_up", "gauge", "1 when the application's metrics were read last time", self._answers),
                (
                    "meshconsole_agent_application_failures_total",
                    "counter",
                    "Times that the application's metrics could not be read",
                    float(self._failures),
                ),
            ]
        return [exposition.Family(n, t, h, (exposition.Sample(n, {}, v),)) for n, t, h, v in figures]


def foreign(text: str) -> str:
    """An application's page, ready to stand after ours: without the end mark of OpenMetrics, and without families that are not its to report."""
    kept = []
    for line in text.splitlines():
        words = line.split(None, 3)
        name = words[2] if line.startswith(("# TYPE ", "# HELP ", "# UNIT ")) and len(words) > 2 else line
        if line.strip() != "# EOF" and not name.startswith(RESERVED):
            kept.append(line)
    return "\n".join([*kept, ""]) if kept else ""
