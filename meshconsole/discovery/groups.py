"""What a member of a WorkloadGroup is, from what its agent says and what the group says. Pure."""

import msgspec

from meshconsole.core.policies.workload_group import WorkloadGroup
from proxyagent import protocol

from .refusals import Refused


def member(said: protocol.Workload, group: WorkloadGroup) -> protocol.Workload:
    """The group's labels win, for policies select by them; of place, network and weight the agent's own word wins (Istio:
    workloadEntryFromGroup). Raises Refused."""
    template, metadata = group.spec.template, group.spec.metadata
    account = template.service_account or "default"
    if said.service_account not in ("", account):
        raise Refused(
            f"the WorkloadGroup {said.namespace}/{said.group} gives its members the service account {account}, and this agent asks for "
            f"{said.service_account}: leave --service-account out"
        )
    own = {port.number: port for port in said.ports}
    theirs = {number: name for name, number in template.ports.items()}
    ports = [
        msgspec.structs.replace(own.get(number) or protocol.WorkloadPort(number), name=theirs.get(number) or own[number].name)
        for number in sorted({*theirs, *own})
    ]
    for port in ports:
        if (port.app_address, port.app_port or port.number) == (said.address, port.number):
            raise Refused(
                f"port {port.number}: Envoy and the application would both listen on {said.address}:{port.number}; start the agent with "
                f"another --address, or with --port {port.number}=ADDRESS:PORT where the application listens"
            )
    return msgspec.structs.replace(
        said,
        service_account=account,
        services=tuple(dict.fromkeys((*said.services, *metadata.services))),
        labels={**said.labels, **metadata.labels, **template.labels},
        ports=tuple(ports),
        locality=said.locality or template.locality,
        network=said.network or template.network,
        weight=said.weight or template.weight or 1,
    )


def kept(said: protocol.Workload, before: protocol.Workload) -> protocol.Workload:
    """A member whose group is gone: it stays what it was, at the address that its agent says now."""
    return msgspec.structs.replace(
        before,
        address=said.address,
        outbound_address=said.outbound_address,
        outbound_port=said.outbound_port,
        metrics_port=said.metrics_port,
    )


def probe(group: WorkloadGroup) -> protocol.Probe | None:
    """With Istio's defaults (pkg/istio-agent/health: fillInDefaults)."""
    given = group.spec.probe
    if given is None:
        return None
    how: protocol.HttpProbe | protocol.TcpProbe | protocol.GrpcProbe | protocol.ExecProbe
    if (http := given.http_get) is not None:
        headers = tuple((header.name, header.value) for header in http.http_headers)
        how = protocol.HttpProbe(http.port, http.path or "/", http.host, http.scheme == "HTTPS", headers)
    elif (tcp := given.tcp_socket) is not None:
        how = protocol.TcpProbe(tcp.port, tcp.host)
    elif given.exec is not None:
        how = protocol.ExecProbe(tuple(given.exec.command))
    else:
        assert given.grpc is not None
        how = protocol.GrpcProbe(given.grpc.port, service=given.grpc.service)
    return protocol.Probe(
        how,
        initial_delay=given.initial_delay_seconds,
        timeout=given.timeout_seconds or 1,
        period=given.period_seconds or 10,
        successes=given.success_threshold or 1,
        failures=given.failure_threshold or 1,
    )
