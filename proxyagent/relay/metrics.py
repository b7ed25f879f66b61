"""Envoy's counters to the console: scraped, turned into deltas with Istio's labels, kept until they are stored."""

import asyncio
import contextlib
import logging
import pathlib
import secrets
import time
from collections.abc import Callable

import msgspec

from telemetry import exposition, samples

from .. import admin, disk, protocol
from . import buffer, counting, labels
from .sampling import Sampling

log = logging.getLogger("proxyagent.metrics")

SCRAPE = f"/stats/prometheus?usedonly&filter={counting.WANTED}"
FLUSHED_SECONDS = 1.1
"""Envoy merges its histograms at each flush, once a second."""


class Relay:
    def __init__(
        self,
        path: pathlib.Path,
        *,
        workload: protocol.Workload,
        principal: Callable[[], str],
        admin: str,
        interval: float,
        send: Callable[[protocol.Metrics], None],
        series: int = labels.MOST,
    ) -> None:
        self._path = path
        self._own = labels.own(workload)
        self._principal = principal
        first, namespace = next(iter(workload.services), ""), workload.namespace
        self._served = f"{first}.{namespace}.svc.cluster.local;{first};{namespace}" if first else ";;"
        """The service that calls come in for, until Envoy says it by its full name."""
        self._bounded = labels.Bounded(series)
        self._admin = admin
        self._sampling = Sampling(admin)
        self._interval = max(interval, 0.1)
        self._send = send
        self._console = False
        self._sent = 0
        self._run = ""
        self._scraping = asyncio.Lock()
        self._empty = asyncio.Event()
        self._buffer = self._load()

    def _load(self) -> buffer.Buffer:
        data = disk.read(self._path)
        with contextlib.suppress(msgspec.DecodeError):
            if data:
                return buffer.decode(data)
        return buffer.Buffer(epoch=secrets.token_hex(8))

    def _save(self) -> None:
        disk.write(self._path, buffer.encode(self._buffer), durable=False)

    # --- what happens around it ---

    def belong(self, workload: protocol.Workload) -> None:
        """Its group has given it other labels: what is counted from now on bears them."""
        self._own = labels.own(workload)

    def envoy(self, run: str, adopted: bool) -> None:
        """Which Envoy's counters we read from now on; '' while there is none."""
        self._run = run
        if run and run != self._buffer.run:
            # A new Envoy counts from nothing. One that we adopt without having read it before has counted for an agent
            # that we know nothing of: what it counts from now on is ours.
            self._buffer.run = "" if adopted else run
            self._buffer.totals = {}
            self._buffer.since = time.time()

    def console(self, connected: bool) -> None:
        self._console = connected
        self._sent = 0
        if connected:
            self._offer()

    def stored(self, epoch: str, seq: int) -> None:
        if self._buffer.stored(epoch, seq):
            self._offer()

    def _offer(self) -> None:
        if not self._console:
            return
        window = self._buffer.window()
        if window and window[-1].seq > self._buffer.offered:
            self._buffer.offer_all()
            self._save()
        for pending in window:
            if pending.seq > self._sent:
                self._sent = pending.seq
                self._send(protocol.Metrics(self._buffer.epoch, pending.seq, samples.encode(pending.batch)))
        if not self._buffer.pending:
            self._empty.set()

    # --- its work ---

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            if self._run:
                try:
                    await self.scrape()
                except (OSError, exposition.Unreadable) as e:  # no answer, or no room on the disk: the next scrape makes up for it
                    log.info("metrics: %s", e)

    async def last(self, seconds: float = 2.0) -> None:
        """Before Envoy stops: what it has counted since the last scrape, stored at the console or on disk."""
        await asyncio.sleep(FLUSHED_SECONDS)
        await self.scrape()
        self._empty.clear()
        if self._console and self._buffer.pending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        self._save()

    async def scrape(self) -> None:
        """Raises admin.Unavailable, exposition.Unreadable."""
        async with self._scraping:
            run, now = self._run, time.time()
            totals = counting.read((await admin.request(self._admin, SCRAPE)).decode())
            if run != self._run:
                return  # Envoy was replaced meanwhile: whose figures are these?
            state = self._buffer
            if state.run != run:
                state.run, state.totals, state.since = run, totals, now
                self._save()
                return
            since = state.since or now - self._interval
            batch = counting.between(state.totals, totals, since, now, self.expand)
            state.totals, state.since = totals, now
            if batch is not None:
                state.add(batch)
                if self._console:
                    state.offer_all()
                # On disk before it is sent: an agent that dies in between sends it again, under the same number.
                self._save()
        if batch is not None:
            self._offer()
        with contextlib.suppress(admin.Unavailable):  # the next scrape says it
            await self._sampling.follow(run, batch, now - since)

    def expand(self, tags: labels.Labels) -> labels.Labels:
        if tags.get("service") == labels.SERVED:
            tags = {**tags, "service": self._served}
        elif tags.get("reporter") == "destination" and len(tags.get("service", "")) > 2:
            self._served = tags["service"]
        return self._bounded.admit(labels.expand(tags, self._own, self._principal()))

    @property
    def envoy_runs(self) -> bool:
        return bool(self._run)

    def figures(self) -> list[tuple[str, str, str, float]]:
        """(name, type, help, value) of what the agent knows of its own work."""
        buffer = self._buffer
        return [
            ("meshconsole_agent_console_connected", "gauge", "1 while the console knows this agent", float(self._console)),
            ("meshconsole_agent_envoy_running", "gauge", "1 while Envoy runs", float(bool(self._run))),
            (
                "meshconsole_agent_metrics_pending",
                "gauge",
                "Batches of metrics that the console has not yet stored",
                float(len(buffer.pending)),
            ),
            ("meshconsole_agent_metrics_batches_total", "counter", "Batches of metrics made", float(buffer.last)),
            ("meshconsole_agent_metrics_series", "gauge", "Label sets that are told apart", float(self._bounded.known)),
            (
                "meshconsole_agent_metrics_series_overflowed",
                "gauge",
                "Label sets beyond --metrics-series, which are counted together as `overflow`",
                float(self._bounded.overflowed),
            ),
        ]
