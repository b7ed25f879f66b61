"""One proxy's whole configuration, from units. A Compiler lives as long as its process: it holds the memo."""

from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.mesh.scope import Scope
from meshconsole.core.mesh.snapshot import Snapshot

from . import clusters, gateway, inbound, kinds, outbound, resolve, virtual_hosts
from .client import ClientClass, label
from .demand import Demand
from .memo import Key, Memo, Result, Run, Tracer


class Compiler:
    def __init__(self, known: kinds.Kinds | None = None):
        self.kinds = known if known is not None else kinds.discovered()
        self.memo = Memo(self._compute)
        self._snapshot: Snapshot | None = None
        self._run: Run | None = None
        self._shared: dict[tuple[ClientClass, Demand], list[tuple[dict[str, str | None], outbound.OutboundSet]]] = {}

    def compile(self, snapshot: Snapshot, workload: Workload, demand: Demand = Demand()) -> ResourceSet:
        """What `workload`'s proxy shall hold. Equal inputs give the same Blob objects, for whichever proxy."""
        run = self._under(snapshot)
        labels = workload.labels
        if workload.kind is ProxyKind.GATEWAY:
            return ResourceSet(gateway.assemble(run, workload))
        client = ClientClass.of(self.scope(snapshot, workload))
        shared = self._outbound(run, client, workload, demand)
        blobs = dict(shared.blobs)
        for key in self._own(workload, shared):
            for each in run.unit(key, labels).blobs:
                blobs[each.type, each.name] = each
        return ResourceSet(blobs, shared.aliases)

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

    def _own(self, workload: Workload, shared: outbound.OutboundSet) -> list[Key]:
        keys: list[Key] = [("inbound", workload.namespace, workload.name, port.number) for port in workload.ports]
        keys.append(("listener", workload.outbound_address, workload.outbound_port, shared.filters))
        return keys

    def _under(self, snapshot: Snapshot) -> Run:
        if self._run is None or self._snapshot is not snapshot:
            self._snapshot, self._run = snapshot, Run(self.memo, snapshot)
            self._shared.clear()
            self.memo.forget_unused()
        return self._run

    def _outbound(self, run: Run, client: ClientClass, workload: Workload, demand: Demand) -> outbound.OutboundSet:
        variants = self._shared.setdefault((client, demand), [])
        for read, shared in variants:
            if all(label(workload.labels, key) == value for key, value in read.items()):
                return shared
        shared = outbound.assemble(run, client, workload.labels, demand)
        read = {key: value for unit in shared.units.values() for key, value in unit.labels.items()}
        variants.append((read, shared))
        return shared

    def _compute(self, tracer: Tracer, key: Key) -> Result:
        match key[0]:
            case "host":
                return virtual_hosts.compile_virtual_host(self.kinds, tracer, key)
            case "cluster":
                return clusters.compile_cluster(self.kinds, tracer, key)
            case "resolve":
                return resolve.compile_resolution(self.kinds, tracer, key)
            case "inbound":
                return inbound.compile_inbound(self.kinds, tracer, key)
            case "mtls":
                return inbound.compile_mtls(self.kinds, tracer, key)
            case "eager":
                return outbound.compile_eager(tracer, key)
            case "listener":
                return outbound.compile_listener(tracer, key)
            case "placeholder":
                return virtual_hosts.placeholder()
            case "gateway":
                return gateway.compile_gateway(self.kinds, tracer, key)
            case "gateway-host":
                return gateway.compile_host(self.kinds, tracer, key)
        raise LookupError(key)
