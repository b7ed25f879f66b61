"""'Why does this request go there?', asked of the configuration as it stands. The shell of core/explaining."""

from dataclasses import replace

from meshconsole.core.compiler import Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.explaining import Explanation, Request, explain
from meshconsole.core.mesh.model import ProxyKind
from meshconsole.core.mesh.spiffe import spiffe_id
from meshconsole.discovery import mesh

from . import compiling


class Unknown(LookupError):
    """No such workload."""


def why(caller: str, request: Request) -> Explanation:
    """`caller`: `namespace/name` of a workload or gateway. Raises Unknown."""
    snapshot = mesh.current()
    namespace, _, name = caller.partition("/")
    workload = snapshot.ask(("workload", namespace, name))
    if workload is None:
        raise Unknown(f"There is no workload {caller}.")
    gateway = workload.kind is ProxyKind.GATEWAY
    identity = spiffe_id(snapshot.mesh.trust_domain, workload.namespace, workload.service_account)
    asked = replace(request, principal=identity, address=workload.address)
    found: dict[str, ResourceSet | None] = {}

    def inbound(id: str) -> ResourceSet | None:
        if id not in found:
            namespace, _, name = id.partition("/")
            there = snapshot.ask(("workload", namespace, name))
            found[id] = compiling.compile(snapshot, there, Demand()) if there else None
        return found[id]

    resources = compiling.compile(snapshot, workload, Demand(frozenset() if gateway else frozenset({request.authority})))
    return explain(resources, asked, inbound, gateway=gateway)
