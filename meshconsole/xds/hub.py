"""
The hub of one web process: the links of its agents, the current snapshot, and who is told what.

Whatever happens (a commit, a changed workload, a notice from another process, the poll) only says that there may be news. One task loads the
newest snapshot in a thread, compiles for the proxies connected here, and offers each its set; those whose set did not change are not
touched. When the database is away nobody is: agents stay connected and keep what they have.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from django.db import DatabaseError, InterfaceError

from meshconsole import measures
from meshconsole.ca import heads
from meshconsole.configstore.signals import committed
from meshconsole.core.compiler import Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.discovery import mesh
from meshconsole.discovery.signals import changed
from proxyagent import protocol

from . import beats, clock, compiling, held, members, notices, owning, records, tuning, unbound
from . import session as s
from .garbage import Tender
from .link import Close, Deliver, Facts, Link
from .threads import in_database
from .trust import Trust

log = logging.getLogger(__name__)

QUIET, LONGEST = 0.01, 0.1
"""News are collected until there was none for QUIET seconds, for LONGEST at most: a burst of applies is one push."""
POLL = 2.0
SLICE = 500
"""Proxies compiled between two looks at the sockets."""
GATHER, PATIENCE = 0.05, 0.25
"""The records of this many seconds are written together, and of a little longer while ACKs stream in: a push and its answers are one write."""


class Hub:
    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.links: dict[str, Link] = {}
        self.snapshot: Snapshot | None = None
        self.revision = 0
        """Compiled for all links."""
        self.stamp = mesh.NEVER
        self._due: dict[str, Link] = {}
        """New, or with a grown demand: served at once."""
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._batch = records.Batch()
        self._noted: dict[str, Link] = {}
        """Links whose state has changed since it was last put into a batch."""
        self._answers = 0
        self._answers_seen = 0
        self._written = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._last_round = 0.0
        self._changed = self._loop.time()
        """When the news came that the next round is about."""
        self._awaited: dict[str, float] = {}
        """Proxies that have not yet taken a change -> when the news of it came."""
        self._unregistered: set[Link] = set()
        """Links without a workload, as of the last beat."""
        self._trust = Trust(self.links)
        self._garbage = Tender(self._loop.time())
        self._compiler = ThreadPoolExecutor(1, thread_name_prefix="mesh-compiler")

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        with _tolerated("the hub's record could not be written"):
            await in_database(beats.begin, self.id)
        committed.connect(self._heard, dispatch_uid=f"hub {self.id}")
        changed.connect(self._heard, dispatch_uid=f"hub {self.id}")
        heads.changed.connect(self._distrusted, dispatch_uid=f"hub {self.id}")
        self._news.set()
        loops: list[Callable[[], Awaitable[None]]] = [
            self._serve,
            self._poll,
            self._beat,
            self._record,
            self._bind_again,
            self._trust.serve,
            lambda: notices.listen(self.news, self._asked),
        ]
        self._tasks = [asyncio.create_task(_for_ever(loop)) for loop in loops]

    async def stop(self) -> None:
        committed.disconnect(dispatch_uid=f"hub {self.id}")
        changed.disconnect(dispatch_uid=f"hub {self.id}")
        heads.changed.disconnect(dispatch_uid=f"hub {self.id}")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in list(self.links.values()):
            link.close(protocol.Refused("busy", "the console is stopping", retry=True))
        with _tolerated("the last records could not be written"):
            records.put(self._batch, self._noted.values(), self.id)
            await in_database(records.write, self.id, self._batch, clock.now())
            await in_database(beats.end, self.id)
        self._compiler.shutdown(wait=False)
        self._garbage.stop()

    def news(self) -> None:
        self._news.set()
        self._trust.news()

    def _asked(self, proxy_id: str) -> None:
        """Another process wants to know what a proxy has acknowledged."""
        if (link := self.links.get(proxy_id)) is not None:
            self._loop.run_in_executor(None, held.answer, link)

    def _heard(self, **_: Any) -> None:
        """A signal, in whichever thread."""
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            self._loop.call_soon_threadsafe(self._news.set)

    def _distrusted(self, **_: Any) -> None:
        """A signal of a change of trust, in whichever thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._trust.news)

    # --- links ------------------------------------------------------------------------------------------------------

    def connect(self, facts: Facts, state: protocol.State, deliver: Deliver, close: Close) -> Link:
        """An enrolled agent has said what it holds. One of the same identity that was there before is replaced."""
        link = Link(facts, deliver, close)
        before = self.links.get(facts.proxy_id)
        self.links[facts.proxy_id] = link
        if before is not None:
            before.close(protocol.Refused("replaced", "another agent with the same identity and name has connected"))
        link.tuned = state.settings
        link.ask(state.virtual_hosts, state.clusters)
        link.handle(s.Reported(state.digest, facts.told), self.revision)
        measures.AGENTS.set(len(self.links))
        self._trust.came(link)
        self._batch.put_whole(records.row(link, self.id))
        self._written.set()
        self._serve_soon(link)
        return link

    def disconnect(self, link: Link, *, goodbye: bool = False) -> None:
        proxy_id = link.facts.proxy_id
        if self.links.get(proxy_id) is not link:
            return  # it was replaced
        del self.links[proxy_id]
        self._awaited.pop(proxy_id, None)
        measures.AGENTS.set(len(self.links))
        self._due.pop(proxy_id, None)
        self._noted.pop(proxy_id, None)
        self._batch.put_gone(proxy_id, clock.now(), goodbye=goodbye)
        self._written.set()

    def demand(self, link: Link, frame: protocol.Demand) -> None:
        link.reminder(frame.virtual_hosts)
        if link.ask(frame.virtual_hosts, frame.clusters):
            self._whole(link)
            self._serve_soon(link)

    def applied(self, link: Link, frame: protocol.Applied) -> None:
        self._answers += 1
        tried = link.retried
        link.applied(frame, self.revision)
        again = bool(tried) and link.unbound.keys() == tried.keys()  # said already, when it was met first
        self._measure(link, frame)
        if frame.errors and not again:
            log.warning("%s refused a push: %s", link.facts.proxy_id, "; ".join(f"{t}: {e}" for t, e in frame.errors.items()))
        self._note(link)

    def _measure(self, link: Link, frame: protocol.Applied) -> None:
        measures.PUSHES.labels("nack" if frame.errors else "ack").inc()
        for type_ in frame.errors:
            measures.NACKS.labels(type_).inc()
        if (link.in_sync or frame.errors) and (since := self._awaited.pop(link.facts.proxy_id, None)) is not None:
            if link.in_sync:
                measures.PUSH_SECONDS.observe(self._loop.time() - since)
            measures.AWAITED.set(len(self._awaited))

    def listed(self, link: Link, frame: protocol.StateList) -> None:
        versions = {(s.XdsType(t), name): version for t, names in frame.versions.items() for name, version in names.items()}
        link.handle(s.Listed(versions, frame.aliases), self.revision)
        self._note(link)

    def envoy(self, link: Link, frame: protocol.EnvoyState) -> None:
        link.envoy = frame
        self._whole(link)

    def trusted(self, link: Link, frame: protocol.Trusted) -> None:
        if self._trust.taken(link, frame):
            self._whole(link)

    def certified(self, link: Link, serial: str) -> None:
        """It has a new certificate."""
        link.facts = replace(link.facts, serial=serial)
        self._whole(link)

    def _whole(self, link: Link) -> None:
        if self.links.get(link.facts.proxy_id) is link:
            self._batch.put_whole(records.row(link, self.id))
            self._written.set()

    @property
    def _answering(self) -> bool:
        """Has anybody answered since this was last asked?"""
        seen, self._answers_seen = self._answers_seen, self._answers
        return seen != self._answers

    def _note(self, link: Link) -> None:
        if self.links.get(link.facts.proxy_id) is link:
            self._noted[link.facts.proxy_id] = link
            self._written.set()

    def _serve_soon(self, link: Link) -> None:
        self._due[link.facts.proxy_id] = link
        self._urgent.set()

    # --- serving ----------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """One round: who is due, or else everybody."""
        while not self._news.is_set() and not self._urgent.is_set():
            await _either(self._news, self._urgent)
        if self._urgent.is_set():
            self._urgent.clear()
            due, self._due = self._due, {}
            try:
                await self._round(due.values(), everybody=False)
            except Exception:
                self._due = due | self._due  # they have nothing yet, and no news would ask about them again
                self._urgent.set()
                raise
            return
        self._changed = self._loop.time()
        if not await self._settled():
            return
        self._news.clear()
        await self._round(self.links.values(), everybody=True)

    async def _settled(self) -> bool:
        """Wait until the news pause. False when someone is due meanwhile: they come first."""
        end = self._loop.time() + LONGEST
        while (left := end - self._loop.time()) > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_either(self._news, self._urgent), min(QUIET, left))
            if self._urgent.is_set():
                self._news.set()
                return False
            if not self._news.is_set():
                break
        self._news.set()
        return True

    async def _round(self, links: Iterable[Link], *, everybody: bool) -> None:
        links = list(links)
        self._last_round = self._loop.time()
        since = self._changed if everybody else self._last_round
        try:
            snapshot, stamp = await self._loop.run_in_executor(self._compiler, _load)
        except (DatabaseError, InterfaceError, OSError) as e:
            log.warning("The database does not answer (%s); proxies keep what they have", e)
            if everybody:
                await asyncio.sleep(1.0)
                self._news.set()
                return
            if self.snapshot is None:
                await asyncio.sleep(0.2)
                for link in links:
                    self._serve_soon(link)
                return
            snapshot, stamp = self.snapshot, self.stamp
        if everybody and snapshot is self.snapshot and stamp == self.stamp:
            return
        if not everybody and snapshot is not self.snapshot:
            self._news.set()
        for start in range(0, len(links), SLICE):
            slice_ = links[start : start + SLICE]
            wanted = [(link.facts.namespace, link.facts.name, link.demand) for link in slice_]
            with measures.COMPILE_SECONDS.time():
                sets = await self._loop.run_in_executor(self._compiler, _compile, snapshot, wanted)
            for link, found in zip(slice_, sets, strict=True):
                self._offer(link, found, snapshot.revision, since)
            measures.AWAITED.set(len(self._awaited))
        members.tell(links, snapshot)
        tuning.tell(links, snapshot)
        if everybody:
            self.snapshot, self.stamp, self.revision = snapshot, stamp, snapshot.revision
            self._batch.revision = max(self._batch.revision, snapshot.revision)
            self._written.set()
        elif self.snapshot is None:
            self.snapshot = snapshot

    def _offer(self, link: Link, found: ResourceSet | str | None, revision: int, since: float) -> None:
        if self.links.get(link.facts.proxy_id) is not link or found is None:
            return
        if isinstance(found, str):
            link.compile_error = found
            measures.COMPILE_FAILURES.inc()
        elif not link.offer(found, revision):
            return
        elif not link.in_sync:
            self._awaited.setdefault(link.facts.proxy_id, since)
        self._note(link)

    # --- loops ------------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        await asyncio.sleep(POLL)
        if await in_database(mesh.stamp) != self.stamp:
            self._news.set()

    async def _beat(self) -> None:
        await asyncio.sleep(beats.INTERVAL)
        now = self._loop.time()
        self._garbage.tend(now, quiet=now - self._last_round > 1.0 and not self._news.is_set())
        await in_database(beats.beat, self.id, self.revision)
        for proxy_id in await in_database(owning.disowned, self.id, list(self.links)):
            if (link := self.links.get(proxy_id)) is not None:
                self._whole(link)
        self._send_for_those_unregistered()

    async def _bind_again(self) -> None:
        await asyncio.sleep(unbound.RETRY)
        for link in list(self.links.values()):
            if link.retry():
                self._serve_soon(link)

    def _send_for_those_unregistered(self) -> None:
        """Not at the first sight: a snapshot may be older than a link, and who is evicted hears so from Trust."""
        seen, self._unregistered = self._unregistered, set(owning.unregistered(self.links.values(), self.snapshot) if self.snapshot else ())
        for link in seen & self._unregistered:
            log.warning("%s is connected and not registered any more; its agent is asked to come again", link.facts.proxy_id)
            link.close(protocol.Refused("busy", "the console has lost your registration", retry=True))

    async def _record(self) -> None:
        await self._written.wait()
        await asyncio.sleep(GATHER)
        end = self._loop.time() + PATIENCE
        while self._answering and self._loop.time() < end:  # noqa: ASYNC110 (an event per ACK would cost more than it saves)
            await asyncio.sleep(GATHER / 2)
        self._written.clear()
        noted, self._noted = self._noted, {}
        records.put(self._batch, noted.values(), self.id)
        batch, self._batch = self._batch, records.Batch()
        try:
            await in_database(records.write, self.id, batch, clock.now())
        except BaseException:
            self._batch = batch.before(self._batch)
            self._written.set()
            raise


def _load() -> tuple[Snapshot, mesh.Stamp]:
    from django.db import connection

    try:
        return mesh.stamped()
    except (DatabaseError, InterfaceError, OSError):
        connection.close()
        raise


def _compile(snapshot: Snapshot, wanted: list[tuple[str, str, Demand]]) -> list[ResourceSet | str | None]:
    """A set, why there is none, or None where the workload is not registered (any more)."""
    found: list[ResourceSet | str | None] = []
    for namespace, name, demand in wanted:
        workload = snapshot.ask(("workload", namespace, name))
        if workload is None:
            found.append(None)
            continue
        try:
            found.append(compiling.compile(snapshot, workload, demand))
        except Exception as e:
            # One proxy's trouble must not keep the others from their configuration.
            log.exception("The configuration of %s/%s could not be compiled; it keeps what it has", namespace, name)
            found.append(f"could not be compiled: {type(e).__name__}: {e}"[:500])
    return found


async def _either(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except (DatabaseError, InterfaceError, OSError) as e:
            log.warning("The database does not answer (%s); trying again", e)
            await asyncio.sleep(1.0)
        except Exception:
            log.exception("The hub stumbled and goes on")
            await asyncio.sleep(1.0)


@contextlib.contextmanager
def _tolerated(what: str):  # type: ignore[no-untyped-def]
    try:
        yield
    except (DatabaseError, InterfaceError, OSError) as e:
        log.warning("%s: %s", what, e)


_hub: Hub | None = None


async def start() -> None:
    """With the web process."""
    global _hub
    _hub = Hub()
    await _hub.start()


async def stop() -> None:
    global _hub
    hub, _hub = _hub, None
    if hub is not None:
        await hub.stop()


def current() -> Hub | None:
    """This process's hub; None where none runs (a worker, a command)."""
    return _hub
