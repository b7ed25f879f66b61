"""One proxy's whole configuration, from units. A Compiler lives as long as its process: it holds the memo."""

import operator
from collections.abc import Iterator
from dataclasses import replace

from meshconsole.core.envoy.resource_set import Failure, ResourceSet
from meshconsole.core.mesh.model import Labels, ProxyKind, Workload
from meshconsole.core.mesh.scope import Scope
from meshconsole.core.mesh.snapshot import Snapshot

from . import clusters, egress, gateway, gateway_tcp, inbound, kinds, outbound, outbound_tcp, patching, reporting, resolve, virtual_hosts
from .client import ClientClass, labels_of
from .demand import Demand
from .memo import Key, Memo, Result, Run, Tracer, Unit

_NOTHING = Demand()
_ROOM = 256
"""Shared sets, before those that no proxy holds any more are forgotten."""
_KEPT_TURNS = 8
"""For how many snapshots a shared set is kept that no proxy asks for."""


class Compiler:
    def __init__(self, known: kinds.Kinds | None = None):
        self.kinds = known if known is not None else kinds.discovered()
        self.memo = Memo(self._compute)
        self._run: Run | None = None
        self._shared: dict[tuple[ClientClass, Demand], list[outbound.OutboundSet]] = {}
        self._room = _ROOM
        self._last: dict[str, tuple[tuple[object, ...], ResourceSet]] = {}

    def compile(self, snapshot: Snapshot, workload: Workload, demand: Demand = _NOTHING) -> ResourceSet:
        """What `workload`'s proxy shall hold. Equal inputs give the same Blob objects, for whichever proxy; and the same ResourceSet
        object as the last time where nothing changed for this proxy."""
        run = self._under(snapshot)
        failures: list[Failure] = []
        if workload.kind is ProxyKind.GATEWAY:
            return self._put_together(workload, gateway.units(run, workload, failures), None, failures)
        told = run.attempt(("reporting", workload.namespace, workload.name), labels_of(workload), failures)
        scope = replace(self.scope(snapshot, workload), told=told.value.client if told and told.value else None)
        client = ClientClass.of(scope, workload.outbound_port)
        shared = self._outbound(run, client, labels_of(workload), demand)
        keys = inbound.keys(scope, workload)
        keys.append(("listener", workload.outbound_address, workload.outbound_port, shared.filters, client.told, workload.namespace))
        keys.append(("added", workload.namespace, False))
        taken = egress.addresses(scope, workload)
        keys += [key for key in outbound_tcp.listener_keys(snapshot, workload, client, shared.tcp) if egress.place(key) not in taken]
        failures += shared.failures
        own = [unit for key in keys if (unit := run.attempt(key, labels_of(workload), failures)) is not None]
        called = dict.fromkeys(name for unit in own if unit.key[0] in ("inbound", "added") for name in unit.value)
        asked = [run.attempt(("cluster", client, name), labels_of(workload), failures) for name in called]
        own += [unit for unit in asked if unit is not None]
        own += egress.units(run, scope, workload, failures)
        return self._put_together(workload, own, shared, failures)

    def _put_together(
        self, workload: Workload, own: list[Unit], shared: outbound.OutboundSet | None, failures: list[Failure]
    ) -> ResourceSet:
        parts = (shared.version if shared else None, *own)
        told = tuple(dict.fromkeys(failures))
        last = self._last.get(workload.id)
        if last is not None and len(last[0]) == len(parts) and all(map(operator.is_, last[0], parts)) and last[1].failures == told:
            return last[1]
        blobs = dict(shared.blobs) if shared else {}
        for unit in own:
            blobs.update(((each.type, each.name), each) for each in unit.blobs)
        resources = ResourceSet(blobs, shared.aliases if shared else {}, told)
        self._last[workload.id] = parts, resources
        return resources

    def scope(self, snapshot: Snapshot, workload: Workload) -> Scope:
        """What the workload may see: everything, as `Sidecar`s narrow it."""
        mesh = snapshot.mesh
        scope = Scope(
            namespace=workload.namespace,
            root_namespace=mesh.root_namespace,
            labels=workload.labels,
            gateway=workload.kind is ProxyKind.GATEWAY,
            allow_any=mesh.allow_any,
        )
        for kind in self.kinds.narrowing:
            for namespace in dict.fromkeys((mesh.root_namespace, workload.namespace)):
                for policy in snapshot.ask(("policies", kind, namespace)):
                    scope = policy.narrow(scope)
        return scope

    def _under(self, snapshot: Snapshot) -> Run:
        if self._run is None or self._run.snapshot is not snapshot:
            if self._run is not None and self._run.snapshot.mesh != snapshot.mesh:
                # What holds for the whole mesh is read everywhere and traced nowhere.
                self.memo, self._shared, self._last = Memo(self._compute), {}, {}
            self._run = Run(self.memo, snapshot)
            self.memo.next_turn(self._living)
            oldest = self.memo.turn - _KEPT_TURNS
            if self.memo.turn % _KEPT_TURNS == 0:
                self._shared = {key: kept for key, sets in self._shared.items() if (kept := [s for s in sets if s.seen >= oldest])}
            if len(self._last) > 2 * len(snapshot.workloads) + 16:
                living = {workload.id for workload in snapshot.workloads}
                self._last = {name: last for name, last in self._last.items() if name in living}
        return self._run

    def _living(self) -> Iterator[Unit]:
        """Units that some proxy holds, whether or not this turn looked at them."""
        for sets in self._shared.values():
            for shared in sets:
                yield from shared.units.values()
        for parts, _ in self._last.values():
            yield from (part for part in parts if isinstance(part, Unit))

    def _outbound(self, run: Run, client: ClientClass, labels: Labels, demand: Demand) -> outbound.OutboundSet:
        variants = self._shared.setdefault((client, demand), [])
        snapshot = run.snapshot
        for shared in variants:
            if not shared.holds_for(labels):
                continue
            # What a unit has read that never came to be is not known.
            follows = shared.token is snapshot.parent and snapshot.dirty is not None and not any(f.lost for f in shared.failures)
            if shared.token is snapshot.token or (follows and shared.revise(run, labels)):
                shared.seen = self.memo.turn
                return shared
        if len(self._shared) > self._room:
            self._forget_superseded()
            variants = self._shared.setdefault((client, demand), variants)
        shared = outbound.assemble(run, client, labels, demand)
        shared.seen = self.memo.turn
        variants[:] = [s for s in variants if s.token is snapshot.token or not s.holds_for(labels)]
        variants.append(shared)
        return shared

    def _forget_superseded(self) -> None:
        """A demand that grows leaves a set behind at each step, and in a quiet mesh there are no turns after which it would be forgotten."""
        held = {id(parts[0]) for parts, _ in self._last.values()}
        kept = {key: [s for s in sets if id(s.version) in held] for key, sets in self._shared.items()}
        self._shared = {key: sets for key, sets in kept.items() if sets}
        self._room = max(_ROOM, 2 * len(self._shared))

    def _compute(self, tracer: Tracer, key: Key) -> Result:
        return patching.applied(self.kinds, tracer, key, self._written(tracer, key))

    def _written(self, tracer: Tracer, key: Key) -> Result:
        match key[0]:
            case "host":
                return virtual_hosts.compile_virtual_host(self.kinds, tracer, key)
            case "cluster":
                return clusters.compile_cluster(self.kinds, tracer, key)
            case "resolve":
                return resolve.compile_resolution(self.kinds, tracer, key)
            case "reporting":
                return reporting.compile_reporting(self.kinds, tracer, key)
            case "inbound":
                return inbound.compile_inbound(self.kinds, tracer, key)
            case "mtls":
                return inbound.compile_mtls(self.kinds, tracer, key)
            case "eager":
                return outbound.compile_eager(tracer, key)
            case "listener":
                return outbound.compile_listener(tracer, key)
            case "tcp-ports":
                return outbound_tcp.compile_ports(tracer, key)
            case "tcp-host":
                return outbound_tcp.compile_host(self.kinds, tracer, key)
            case "tcp-listener":
                return outbound_tcp.compile_listener(tracer, key)
            case "patches":
                return patching.compile_patches(tracer, key)
            case "added":
                return patching.compile_added(self.kinds, tracer, key)
            case "apart":
                return patching.compile_apart(self.kinds, tracer, key)
            case "placeholder":
                return virtual_hosts.placeholder()
            case "egress":
                return egress.compile_listener(self.kinds, tracer, key)
            case "egress-tcp":
                return egress.compile_opaque(tracer, key)
            case "egress-host":
                return egress.compile_host(self.kinds, tracer, key)
            case "gateway":
                return gateway.compile_gateway(self.kinds, tracer, key)
            case "gateway-tcp":
                return gateway_tcp.compile_server(self.kinds, tracer, key)
            case "gateway-host":
                return gateway.compile_host(self.kinds, tracer, key)
        raise LookupError(key)
