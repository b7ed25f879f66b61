"""Where a Sidecar contradicts itself. Rules are Istio's (pkg/config/validation: ValidateSidecar); each fault has the path of its field."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from pydantic.alias_generators import to_snake

from meshconsole.core.resources import connection_pool
from meshconsole.core.resources.names import host_fault
from meshconsole.core.resources.selectors import problems
from meshconsole.core.resources.server_tls import ServerTls, TlsMode
from meshconsole.core.resources.server_tls import problems as problems_of_tls

from .schema import CaptureMode, EgressListener, IngressListener, ListenerPort, OutboundMode, SidecarSpec

Fault = tuple[str, str]
"""(path, what was wrong and what would be right)"""

UNIX = "unix://"
PROTOCOLS = frozenset(("HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "MONGO", "MYSQL", "REDIS"))
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(\*|(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*)")
_ENDPOINT = re.compile(r"(127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):([0-9]{1,5})")


def faults(spec: SidecarSpec, labels: dict[str, str]) -> Iterator[Fault]:
    yield from problems(labels, "spec.workloadSelector.labels")
    if not spec.egress and not spec.ingress and spec.outbound_traffic_policy is None and spec.inbound_connection_pool is None:
        yield "spec", "sidecar: empty configuration provided: say ingress, egress, inboundConnectionPool or outboundTrafficPolicy"
    yield from _ingress(spec)
    yield from _egress(spec)
    if spec.inbound_connection_pool:
        yield from connection_pool.faults(spec.inbound_connection_pool, "spec.inboundConnectionPool")
    policy = spec.outbound_traffic_policy
    if policy and policy.egress_proxy:
        path = "spec.outboundTrafficPolicy.egressProxy"
        if policy.mode is not OutboundMode.ALLOW_ANY:
            yield path, "goes with mode ALLOW_ANY only: REGISTRY_ONLY refuses what it would pass on"
        if fault := host_fault(policy.egress_proxy.host, wildcard=False):
            yield f"{path}.host", fault


def warnings(spec: SidecarSpec) -> Iterator[Fault]:
    for i, listener in enumerate(spec.egress):
        for j, written in enumerate(listener.hosts):
            host = written.partition("/")[2]
            if _HOST.fullmatch(host) and "." not in host and host != "*":
                text = f"host {host!r} is matched as it stands: write the name in full, such as {host}.<namespace>.svc.cluster.local"
                yield f"spec.egress[{i}].hosts[{j}]", text


def _ingress(spec: SidecarSpec) -> Iterator[Fault]:
    seen: set[int] = set()
    for i, listener in enumerate(spec.ingress):
        path = f"spec.ingress[{i}]"
        yield from _port(listener.port, f"{path}.port")
        if listener.port.number in seen:
            yield f"{path}.port.number", f"sidecar: ports on IP bound listeners must be unique: {listener.port.number} stands twice"
        seen.add(listener.port.number)
        yield from _bound(listener, path)
        if listener.bind.startswith((UNIX, "/", "@")):
            yield f"{path}.bind", "sidecar: a Unix socket cannot stand here: callers come over the network"
        elif listener.bind and not _is_address(listener.bind):
            yield f"{path}.bind", f"{listener.bind!r} is no address"
        if listener.default_endpoint and not _is_endpoint(listener.default_endpoint):
            yield (
                f"{path}.defaultEndpoint",
                "sidecar: must be of the form 127.0.0.1:<port>, 0.0.0.0:<port>, [::1]:<port>, [::]:<port>, unix:///<path>, or unset",
            )
        if listener.tls:
            yield from _tls(listener.tls, listener.port.protocol.upper(), f"{path}.tls")
        if listener.connection_pool:
            yield from connection_pool.faults(listener.connection_pool, f"{path}.connectionPool")


def _tls(tls: ServerTls, protocol: str, path: str) -> Iterator[Fault]:
    if protocol not in ("HTTPS", "TLS"):
        yield path, "cannot have TLS settings for a port of another protocol than HTTPS and TLS"
    if tls.mode not in (TlsMode.SIMPLE, TlsMode.MUTUAL, TlsMode.OPTIONAL_MUTUAL):
        written = "" if "mode" in tls.model_fields_set else " (the default where no mode is set)"
        yield f"{path}.mode", f"sidecar: {tls.mode}{written} is not for ingress; SIMPLE, MUTUAL and OPTIONAL_MUTUAL are"
        return
    if tls.https_redirect:
        yield f"{path}.httpsRedirect", "sidecar: only a Gateway redirects"
    for name in ("credentialName", "credentialNames", "caCertCredentialName"):
        if getattr(tls, to_snake(name)):
            yield f"{path}.{name}", "sidecar: not supported at ingress; name files: serverCertificate, privateKey, caCertificates"
            return
    yield from ((f"{path}.{field}", text) for field, text in problems_of_tls(tls))


def _egress(spec: SidecarSpec) -> Iterator[Fault]:
    seen: set[str] = set()
    bound: set[tuple[str, int]] = set()
    open_to_all = 0
    for i, listener in enumerate(spec.egress):
        path = f"spec.egress[{i}]"
        if listener.port is None:
            open_to_all += 1
            if open_to_all > 1:
                yield path, "only one egress listener may be without a port: put all hosts into the first one"
            if listener.bind:
                yield f"{path}.bind", "goes with a port only: the outbound address is the agent's option"
        else:
            yield from _listening(listener, listener.port, path)
            where = (listener.bind, listener.port.number)
            if where in bound:
                yield f"{path}.port", "sidecar: another egress listener listens there"
            bound.add(where)
        yield from _bound(listener, path)
        if not listener.hosts:
            yield f"{path}.hosts", "egress hosts must not be empty"
        own: set[str] = set()
        for j, written in enumerate(listener.hosts):
            among = seen if listener.port is None else own
            if written in among:
                yield f"{path}.hosts[{j}]", f"duplicate host {written}"
            among.add(written)
            yield from _host(written, f"{path}.hosts[{j}]")


def _listening(listener: EgressListener, port: ListenerPort, path: str) -> Iterator[Fault]:
    if listener.bind.startswith(UNIX):
        if not listener.bind.removeprefix(UNIX).startswith(("/", "@")):
            yield f"{path}.bind", "sidecar: a Unix socket's path must be absolute: unix:///<path>"
        if port.number:
            yield f"{path}.port.number", "sidecar: must be 0 (or left out) with a Unix socket"
        if not port.protocol:
            yield f"{path}.port.protocol", "is required with a Unix socket"
        yield from _port(port, f"{path}.port", unix=True)
    else:
        yield from _port(port, f"{path}.port")
        if listener.bind and not _is_address(listener.bind):
            yield f"{path}.bind", f"{listener.bind!r} is neither an address nor unix:///<path>"


def _port(port: ListenerPort, path: str, *, unix: bool = False) -> Iterator[Fault]:
    if not unix and not 0 < port.number < 65536:
        yield f"{path}.number", "port must be between 1-65535"
    if port.protocol.upper() == "HTTP_PROXY":
        yield f"{path}.protocol", "not supported: HTTP_PROXY; the outbound port is an HTTP proxy for every host"
    elif port.protocol and port.protocol.upper() not in PROTOCOLS:
        yield f"{path}.protocol", f"unknown protocol {port.protocol!r}: one of {', '.join(sorted(PROTOCOLS))}"


def _bound(listener: IngressListener | EgressListener, path: str) -> Iterator[Fault]:
    if listener.capture_mode is CaptureMode.IPTABLES:
        yield f"{path}.captureMode", "not supported: IPTABLES; traffic is not captured but sent to the proxy: write NONE, or leave it out"


def _host(written: str, path: str) -> Iterator[Fault]:
    namespace, slash, host = written.partition("/")
    if not slash:
        yield path, f"host {written!r} must be of the form namespace/dnsName"
        return
    if namespace not in ("*", ".", "~") and not _NAMESPACE.fullmatch(namespace):
        yield path, f"namespace {namespace!r} is neither a name nor one of `.`, `*`, `~`"
    if not _HOST.fullmatch(host):
        yield path, f"host {host!r} is neither a domain name nor a wildcard in front of one"
    if namespace == "~" and host != "*":
        yield path, "namespace `~` stands for nothing and goes with host `*` only"


def _is_endpoint(written: str) -> bool:
    if written.startswith(UNIX):
        return written.removeprefix(UNIX).startswith(("/", "@")) and not written.endswith("/")
    found = _ENDPOINT.fullmatch(written)
    return found is not None and 0 < int(found[2]) < 65536


def _is_address(written: str) -> bool:
    try:
        ip_address(written)
    except ValueError:
        return False
    return True
