"""Where the rules for TLS and TCP contradict themselves (Istio: validateTLSRoute, validateTCPRoute). Counterpart: checks.py, for http."""

from collections.abc import Iterator, Sequence

from meshconsole.core.mesh import hosts
from meshconsole.core.resources.names import host_fault, label_faults, namespace_fault

from .fields import Fault, destination_faults, gateway_fault
from .schema import ConnectionMatch, VirtualServiceSpec, WeightedDestination


def connection_faults(spec: VirtualServiceSpec, *, delegate: bool) -> Iterator[Fault]:
    for field in ("tls", "tcp"):
        if delegate and getattr(spec, field):
            yield f"spec.{field}", f"a VirtualService without hosts is a delegate and has http rules only; add hosts or remove {field}"
    for n, rule in enumerate(spec.tls):
        path = f"spec.tls[{n}]"
        if not rule.match:
            yield f"{path}.match", "needs at least one match, with sniHosts"
        for m, match in enumerate(rule.match):
            yield from _match(match, f"{path}.match[{m}]")
            yield from _names(match.sni_hosts, spec.hosts, f"{path}.match[{m}].sniHosts")
        yield from _shares(rule.route, f"{path}.route")
    for n, tcp in enumerate(spec.tcp):
        path = f"spec.tcp[{n}]"
        for m, condition in enumerate(tcp.match):
            yield from _match(condition, f"{path}.match[{m}]")
        yield from _shares(tcp.route, f"{path}.route")


def connection_warnings(spec: VirtualServiceSpec) -> Iterator[Fault]:
    for n, rule in enumerate(spec.tls):
        for m, match in enumerate(rule.match):
            for i, name in enumerate(match.sni_hosts):
                if hosts.is_address(name):
                    yield f"spec.tls[{n}].match[{m}].sniHosts[{i}]", f"{name!r}: most clients send no address as server name"


def _match(match: ConnectionMatch, path: str) -> Iterator[Fault]:
    for n, subnet in enumerate(match.destination_subnets):
        if hosts.network(subnet) is None:
            yield f"{path}.destinationSubnets[{n}]", f"{subnet!r} is neither an address nor a CIDR range; write one like 10.1.2.0/24"
    for key, fault in label_faults(match.source_labels, selecting=True):
        yield f"{path}.sourceLabels.{key}", fault
    for n, gateway in enumerate(match.gateways):
        if fault := gateway_fault(gateway):
            yield f"{path}.gateways[{n}]", fault
    if match.source_namespace and (fault := namespace_fault(match.source_namespace)):
        yield f"{path}.sourceNamespace", fault


def _names(names: Sequence[str], spoken: Sequence[str], path: str) -> Iterator[Fault]:
    if not names:
        yield path, "needs at least one server name"
    for n, name in enumerate(names):
        if hosts.is_address(name):
            continue
        if fault := host_fault(name):
            yield f"{path}[{n}]", fault
        elif hosts.is_wildcard(name) and name != "*" and not name.startswith("*."):
            yield f"{path}[{n}]", f"{name!r}: a wildcard stands for whole labels; write one like *.example.com"
        elif not any(hosts.matches(host.lower(), name.lower()) for host in spoken):
            yield f"{path}[{n}]", f"{name!r} is not within the VirtualService's hosts ({', '.join(spoken)}); add it there"


def _shares(shares: Sequence[WeightedDestination], path: str) -> Iterator[Fault]:
    if not shares:
        yield path, "says where no connection goes: add a destination"
    for n, share in enumerate(shares):
        yield from destination_faults(share.destination, f"{path}[{n}].destination")
    total = sum(share.weight for share in shares)
    if len(shares) > 1 and total == 0:
        yield path, "the weights add up to 0; give at least one destination a weight"
    if total > 2**32 - 1:
        yield path, f"the weights add up to {total}, more than 4294967295"
