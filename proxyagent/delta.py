"""
The server side of delta ADS toward one Envoy, without I/O.

Events are what happened; commands are what the shell must do (delta_words.py). The counterpart toward the console is
proxyagent.session. Time is an argument; `wake_at` says when to come back with `Elapsed`.

What Envoy holds is known in three ways: `cache` is what it last accepted as a whole, `_held` is what this stream has
sent (optimistically), and a push under way has its own target. A subscription is always answered from the target, so
the endpoints that Envoy asks for in the middle of a push are those of the push.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from .application import Application, InFlight, Subscription
from .cache import XDS_TYPES, Cache
from .delta_words import (
    Asked,
    Command,
    Complain,
    ConsoleCame,
    ConsoleWent,
    Elapsed,
    Event,
    Keep,
    KeepClusters,
    Pushed,
    Report,
    Respond,
    SecretsRenewed,
    StreamClosed,
    StreamOpened,
)
from .protocol import OUTBOUND_ROUTES, TYPE_URLS, Applied, Demand, Push, Resource, Trusted, XdsType
from .stages import Stage, steps
from .wire import DeltaRequest, DeltaResource, DeltaResponse

WILDCARDS: frozenset[XdsType] = frozenset({"cds", "lds"})
ACK_SECONDS = 30.0
"""Envoy answers in milliseconds; a main thread that is silent for this long is not going to."""
EXPECT_SECONDS = 2.0
"""How long a stage waits for a subscription that the stage before should have caused."""
DEMAND_SECONDS = 5.0
ALONE_SECONDS = 1.0
"""Patience with a demand while the console is away: Envoy itself would hold the request for minutes."""
MAX_WAITING = 1000
_PREFIX = OUTBOUND_ROUTES + "/"


class Delta:
    def __init__(self, cache: Cache | None = None) -> None:
        self.cache = cache or Cache()
        self.connected = False
        self.console = False
        self._subs: dict[XdsType, Subscription] = {}
        self._in_flight: dict[str, InFlight] = {}
        self._nonce = 0
        self._queue: deque[tuple[Push, int]] = deque()
        self._app: Application | None = None
        self._secrets: dict[str, Resource] = {}
        self._taken: Trusted | None = None
        self._untold = False
        self._waiting: dict[tuple[XdsType, str], float] = {}

    # --- what others may ask ---

    @property
    def waiting_hosts(self) -> tuple[str, ...]:
        """Authorities that Envoy has asked for and not yet been told of."""
        return tuple(sorted(n for t, n in self._waiting if t == "vhds"))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those, and all learned before."""
        return tuple(sorted({*self.cache.aliases, *self.waiting_hosts}))

    @property
    def clusters(self) -> tuple[str, ...]:
        return tuple(sorted({*self.cache.clusters, *(n for t, n in self._waiting if t == "cds")}))

    @property
    def idle(self) -> bool:
        return not self._app and not self._queue and not self._in_flight

    def wake_at(self) -> float | None:
        times = list(self._waiting.values())
        if self._app and self._app.step:
            types = {s.type for s in self._app.step}
            unanswered = min((f.since for f in self._in_flight.values() if f.type in types), default=None)
            times.append(self._app.since + EXPECT_SECONDS if unanswered is None else unanswered + ACK_SECONDS)
        return min(times, default=None)

    # --- events ---

    def handle(self, event: Event, now: float) -> Iterator[Command]:
        match event:
            case StreamOpened():
                self.connected, self._subs, self._in_flight = True, {}, {}
            case StreamClosed():
                yield from self._closed()
            case Asked(request):
                yield from self._asked(request, now)
            case Pushed(push):
                self._queue.append((push, 1))
            case SecretsRenewed(secrets, taken):
                self._taken, self._untold = taken, True
                yield from self._renewed(secrets, now)
            case ConsoleCame():
                self.console = self._untold = True
            case ConsoleWent():
                # An answer would have nowhere to go, and the console sends the difference anew when it is back.
                self.console = False
                self._queue.clear()
                if self._app:
                    self._app.orphan = True
                self._waiting = {k: min(at, now + ALONE_SECONDS) for k, at in self._waiting.items()}
            case Elapsed():
                yield from self._give_up(now)
        yield from self._advance(now)
        if self._untold and self.console and self._taken and self._secrets_taken():
            self._untold = False
            yield Report(self._taken)

    def _closed(self) -> Iterator[Command]:
        self.connected, self._subs, self._in_flight = False, {}, {}
        self._waiting = {}
        if (app := self._app) is None:
            return
        self._app = None
        if app.returning:  # the next Envoy gets the old configuration anyway
            yield from self._report(app, app.errors)
        elif app.attempts > 1:
            yield from self._report(app, {app.type: "Envoy stopped twice while it was taking this push"})
        elif not app.orphan:
            self._queue.appendleft((app.push, app.attempts + 1))

    def _asked(self, request: DeltaRequest, now: float) -> Iterator[Command]:
        type_ = XDS_TYPES.get(request.type_url)
        if type_ is None:
            return
        first = type_ not in self._subs
        sub = self._subs.setdefault(type_, Subscription())
        if first:
            sub.held = dict(request.initial_versions)
        if request.nonce:
            yield from self._answered(request, now)
        for name in request.unsubscribe:
            sub.names.discard(name)
            if not sub.wildcard and type_ != "vhds":
                sub.held.pop(name, None)
        names = [n for n in request.subscribe if n != "*"]
        sub.names.update(names)
        wildcard = type_ in WILDCARDS and ("*" in request.subscribe or (first and not names))
        if wildcard:
            sub.wildcard = True
        # A push that waits for Envoy starts here, so that a fresh Envoy is given the new state and not the old one first.
        self._start(now)
        if wildcard or (first and type_ == "vhds"):
            yield from self._all(type_, now, always=first and not request.initial_versions)
        if names:
            yield from self._named(type_, names, now, fresh=not first or not request.initial_versions)

    def _all(self, type_: XdsType, now: float, always: bool) -> Iterator[Command]:
        """The whole of a type; the difference, when Envoy brought something along. An empty answer ends Envoy's wait."""
        sub, target = self._subs[type_], self._target.of(type_)
        changed = [r for n, r in sorted(target.items()) if sub.held.get(n) != r.version]
        gone = sorted(sub.held.keys() - target.keys())
        if changed or gone or always:
            yield from self._respond(type_, self._resources(type_, changed), gone, now)

    def _named(self, type_: XdsType, names: list[str], now: float, fresh: bool) -> Iterator[Command]:
        """Subscriptions by name. What Envoy asks for now it gets, even when it has had it before; what it brought
        along after our restart it keeps."""
        sub, target = self._subs[type_], self._target
        found: dict[str, DeltaResource] = {}
        gone: list[str] = []
        wanted: list[str] = []
        for name in names:
            if type_ == "vhds":
                authority = name.removeprefix(_PREFIX)
                canonical = target.aliases.get(authority, name if name in target.of("vhds") else None)
                if canonical is None:
                    wanted.append(authority)
                elif canonical == "":
                    found[name] = DeltaResource(name, aliases=(name,))
                elif fresh or sub.held.get(canonical) != target.of("vhds")[canonical].version:
                    found[canonical] = self._resources(type_, [target.of("vhds")[canonical]])[0]
                continue
            resource = self._secrets.get(name) if type_ == "sds" else None
            resource = resource or target.of(type_).get(name)
            if resource is not None:
                if fresh or sub.held.get(name) != resource.version:
                    found[name] = self._resources(type_, [resource])[0]
            elif type_ == "cds":
                wanted.append(name)
            elif type_ != "sds":
                gone.append(name)  # 'there is none' ends Envoy's wait
        if found or gone:
            yield from self._respond(type_, list(found.values()), gone, now)
        if wanted:
            yield from self._demand(type_, wanted, now)

    def _demand(self, type_: XdsType, names: list[str], now: float) -> Iterator[Command]:
        patience = DEMAND_SECONDS if self.console else ALONE_SECONDS
        new = []
        for name in names:
            if (type_, name) not in self._waiting and len(self._waiting) < MAX_WAITING:
                self._waiting[type_, name] = now + patience
                new.append(name)
        if not self.console or not new:
            return
        yield Report(Demand(virtual_hosts=tuple(new)) if type_ == "vhds" else Demand(clusters=tuple(new)))

    def _renewed(self, secrets: tuple[Resource, ...], now: float) -> Iterator[Command]:
        self._secrets = {s.name: s for s in secrets}
        sub = self._subs.get("sds")
        if sub is None:
            return
        changed = [s for s in secrets if s.name in sub.names and sub.held.get(s.name) != s.version]
        if changed:
            yield from self._respond("sds", self._resources("sds", changed), [], now)

    def _secrets_taken(self) -> bool:
        """Does Envoy run with the present secrets? One that has not asked for them gets them when it does."""
        if any(flight.type == "sds" for flight in self._in_flight.values()):
            return False
        sub = self._subs.get("sds")
        return sub is None or all(sub.held.get(n) == s.version for n, s in self._secrets.items() if n in sub.names)

    # --- answers ---

    def _answered(self, request: DeltaRequest, now: float) -> Iterator[Command]:
        flight = self._in_flight.pop(request.nonce, None)
        if flight is None or request.error is None:
            return
        # Envoy takes CDS and LDS one resource at a time: what it now runs is unknown for every name that we sent.
        for name in flight.names:
            self._subs[flight.type].held.pop(name, None)
        app = self._app
        if app and not app.returning and flight.names & app.touched.get(flight.type, set()):
            self._turn_back(app, flight.type, request.error)
        else:
            yield Complain(flight.type, request.error)

    def _turn_back(self, app: Application, type_: XdsType, error: str) -> None:
        """Leave the push where it stands and lead Envoy back to what it had, for every name already sent."""
        app.errors[type_] = error
        for touched, names in app.touched.items():
            if touched in self._subs:
                for name in names:
                    self._subs[touched].held.pop(name, None)
        app.todo = deque(steps(app.target, self.cache, app.touched))
        app.target, app.step = self.cache, ()

    def _give_up(self, now: float) -> Iterator[Command]:
        late = [key for key, at in self._waiting.items() if at <= now]
        hosts = [_PREFIX + name for t, name in late if t == "vhds"]
        clusters = [name for t, name in late if t == "cds"]
        for key in late:
            del self._waiting[key]
        if hosts and "vhds" in self._subs:
            yield from self._respond("vhds", [DeltaResource(h, aliases=(h,)) for h in hosts], [], now)
        if clusters and "cds" in self._subs:
            yield from self._respond("cds", [], clusters, now)
        app = self._app
        if app:
            types = {s.type for s in app.step}
            overdue = [f.type for f in self._in_flight.values() if f.type in types and f.since + ACK_SECONDS <= now]
            if overdue:
                self._in_flight = {n: f for n, f in self._in_flight.items() if f.type not in types}
                if not app.returning:
                    self._turn_back(app, overdue[0], f"Envoy has not answered for {ACK_SECONDS:.0f} s")

    # --- a push ---

    @property
    def _target(self) -> Cache:
        return self._app.target if self._app else self.cache

    def _start(self, now: float) -> None:
        if self._app or not self._queue or not self._subs:
            return
        push, attempts = self._queue.popleft()
        target = self.cache.after(push)
        names: dict[XdsType, set[str]] = {}
        for type_ in push.resources.keys() | push.removed.keys():
            names[type_] = {r.name for r in push.resources.get(type_, ())} | set(push.removed.get(type_, ()))
        todo = deque(steps(self.cache, target, names))
        for step in todo:
            for stage in step:
                names.setdefault(stage.type, set()).update(stage.send)
        self._app = Application(push, target, todo, names, attempts=attempts)

    def _advance(self, now: float) -> Iterator[Command]:
        while True:
            self._start(now)
            app = self._app
            if app is None or not self.connected:
                return
            if not app.step:
                if not app.todo:
                    yield from self._finish(app)
                    continue
                app.step, app.since = app.todo.popleft(), now
                for stage in app.step:
                    yield from self._enter(app, stage, now)
            if not all(self._done(app, stage, now) for stage in app.step):
                return
            app.step = ()

    def _enter(self, app: Application, stage: Stage, now: float) -> Iterator[Command]:
        sub = self._subs.get(stage.type)
        if sub is None:
            return  # Envoy will ask, and is then answered from the target
        target = app.target.of(stage.type)
        if stage.type == "vhds":
            yield from self._hosts(app, stage, sub, now)
            return
        send = [n for n in sorted(stage.send) if sub.wants(n) and (n in stage.again or sub.held.get(n) != target[n].version)]
        if send or stage.remove:
            yield from self._respond(stage.type, self._resources(stage.type, [target[n] for n in send]), sorted(stage.remove), now)
        if stage.type == "cds" and (asked := [n for n in sorted(stage.send) if self._waiting.pop(("cds", n), None) is not None]):
            self.cache = self.cache.asking(asked)
            yield KeepClusters(tuple(asked))

    def _hosts(self, app: Application, stage: Stage, sub: Subscription, now: float) -> Iterator[Command]:
        target = app.target
        told = {a: host for a, host in target.aliases.items() if ("vhds", a) in self._waiting}
        names = {n for n in stage.send if sub.held.get(n) != target.of("vhds")[n].version} | {h for h in told.values() if h}
        resources = self._resources("vhds", [target.of("vhds")[n] for n in sorted(names)])
        resources += [DeltaResource(_PREFIX + a, aliases=(_PREFIX + a,)) for a, host in sorted(told.items()) if not host]
        gone = sorted(n for n in stage.remove if n in sub.held)
        if resources or gone:
            yield from self._respond("vhds", resources, gone, now)
        for authority in told:
            del self._waiting["vhds", authority]

    def _done(self, app: Application, stage: Stage, now: float) -> bool:
        names = stage.send | stage.remove
        if any(f.type == stage.type and (f.names & names or not names) for f in self._in_flight.values()):
            return False
        if app.returning or now >= app.since + EXPECT_SECONDS:
            return True
        return self._all_there(app, stage)

    def _all_there(self, app: Application, stage: Stage) -> bool:
        """Has Envoy asked for what the stages before made it want?"""
        sub = self._subs.get(stage.type)
        if stage.type == "vhds":
            return sub is not None or OUTBOUND_ROUTES not in app.target.of("rds") or not stage.send
        target = app.target.of(stage.type)
        return all(sub is not None and sub.held.get(n) == target[n].version for n in stage.send)

    def _finish(self, app: Application) -> Iterator[Command]:
        self._app = None
        if not app.returning:
            self.cache = app.target.asking(self.cache.clusters)
            yield Keep(app.push)
        yield from self._report(app, app.errors)

    def _report(self, app: Application, errors: dict[XdsType, str]) -> Iterator[Command]:
        if not app.orphan:
            yield Report(Applied(app.push.nonce, errors))

    # --- the wire ---

    def _resources(self, type_: XdsType, resources: Iterable[Resource]) -> list[DeltaResource]:
        """A virtual host goes with the aliases under which Envoy has asked for it: those requests wait for one of them."""
        aliases: dict[str, list[str]] = {}
        if type_ == "vhds":
            for name in sorted(self._subs[type_].names):
                aliases.setdefault(self._target.aliases.get(name.removeprefix(_PREFIX), ""), []).append(name)
        return [DeltaResource(r.name, r.version, r.body, tuple(aliases.get(r.name, ()))) for r in resources]

    def _respond(self, type_: XdsType, resources: list[DeltaResource], gone: list[str], now: float) -> Iterator[Command]:
        self._nonce += 1
        nonce, sub = str(self._nonce), self._subs[type_]
        for resource in resources:
            if resource.body is not None:
                sub.held[resource.name] = resource.version
        for name in gone:
            sub.held.pop(name, None)
        names = frozenset(r.name for r in resources) | frozenset(gone)
        if self._app and not self._app.returning:
            self._app.touched.setdefault(type_, set()).update(names & self._app.names.get(type_, set()))
        self._in_flight[nonce] = InFlight(type_, names, now)
        yield Respond(DeltaResponse(TYPE_URLS[type_], nonce, tuple(resources), tuple(gone)))
