"""Members of a WorkloadGroup are told what they are whenever their group has changed."""

from collections.abc import Iterable

import msgspec

from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.workload_group import WorkloadGroup
from meshconsole.discovery import groups
from proxyagent import protocol

from .link import Link


def tell(links: Iterable[Link], snapshot: Snapshot) -> None:
    for link in links:
        before = link.assigned
        workload = snapshot.ask(("workload", link.facts.namespace, link.facts.name)) if before else None
        if before is None or workload is None:
            continue
        known = snapshot.ask(("policies", WorkloadGroup, link.facts.namespace))
        group = next((each for each in known if each.metadata.name == link.facts.group), None)
        now = protocol.Assigned(_as_it_is(before.workload, workload), groups.probe(group) if group else before.probe)
        if now != before:
            link.assigned = now
            link.deliver(protocol.encode(now))


def _as_it_is(before: protocol.Workload, workload: Workload) -> protocol.Workload:
    return msgspec.structs.replace(
        before,
        services=workload.services,
        labels=dict(workload.labels),
        ports=tuple(
            protocol.WorkloadPort(
                port.number, port.name, port.app_address, port.app_port if port.app_port != port.number else 0, port.app_protocol
            )
            for port in workload.ports
        ),
        locality=workload.locality,
        network=workload.network,
        weight=workload.weight,
    )
