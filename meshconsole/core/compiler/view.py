"""The View that policies look through: every read is traced. Visibility (exportTo, Sidecar) is decided here."""

from collections.abc import Sequence
from dataclasses import replace

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig, Resolution, Service
from meshconsole.core.mesh.selection import visible
from meshconsole.core.policies.base import Policy

from .client import LOCALITY, SERVICE, ClientClass, ReadLabels
from .memo import Tracer


class UnitView:
    """policies.base.View, for one unit of one class of clients."""

    def __init__(self, tracer: Tracer, client: ClientClass):
        self._tracer = tracer
        self._client = client
        self.mesh: MeshConfig = tracer.run.snapshot.mesh
        self.namespace = client.namespace

    @property
    def labels(self) -> dict[str, str]:
        """The client's labels; which of them are read is noted."""
        return ReadLabels(self._tracer.labels, self._tracer.note_label)

    @property
    def gateway(self) -> bool:
        return self._client.gateway

    @property
    def locality(self) -> str:
        return self.labels.get(LOCALITY, "")

    def peers(self) -> tuple[str, ...]:
        """Where the healthy instances of the client's own service are; () for who serves none."""
        name = self.labels.get(SERVICE, "")
        found = self._tracer.ask("service", hosts.service_host(name, self.namespace, self.mesh.domain)) if name else ()
        return tuple(e.locality for service in found if service.namespace == self.namespace for e in service.endpoints if e.healthy)

    def sees(self, service: Service) -> bool:
        if not visible(service.export_to, service.namespace, self.namespace):
            return False
        if self._client.hosts is None:
            return True
        return any(ns in ("*", service.namespace) and hosts.matches(pattern, service.host) for ns, pattern in self._client.hosts)

    def _first_visible(self, candidates: Sequence[Service]) -> Service | None:
        """The client's own namespace before others, else the oldest (Istio: the same for hosts that several namespaces declare)."""
        seen = [service for service in candidates if self.sees(service)]
        return next((s for s in seen if s.namespace == self.namespace), seen[0] if seen else None)

    def exactly(self, host: str) -> Service | None:
        return self._first_visible(self._tracer.ask("service", host))

    def wildcard(self, host: str) -> Service | None:
        """The visible wildcard service that takes in `host`, of the longest pattern."""
        candidates: Sequence[Service] = self._tracer.ask("wildcards", host)
        longest = next((s.host for s in candidates if self.sees(s)), None)
        return self._first_visible([s for s in candidates if s.host == longest])

    def reached(self, host: str) -> Service | None:
        """The service behind a virtual host or cluster of that name. A wildcard that leaves the address to the caller (resolution
        NONE) stands for each host that it takes in: without interception, the Host is all that says where the caller was going."""
        found = self.exactly(host)
        if found is not None or hosts.is_wildcard(host):
            return found
        if hosts.is_address(host):
            found = self.at(host)
            return replace(found, host=host, name=host) if found is not None and found.resolution is Resolution.NONE else found
        pattern = self.wildcard(host)
        return replace(pattern, host=host, name=host) if pattern is not None and pattern.resolution is Resolution.NONE else None

    def at(self, address: str) -> Service | None:
        """The visible service with that virtual address, that of the smallest range first."""
        found = (self.exactly(host) for host in self._tracer.ask("at", address))
        return next((service for service in found if service is not None), None)

    def bare(self, name: str) -> Service | None:
        """The one visible service with that short name; None where there are several."""
        found = [s for host in self._tracer.ask("named", name) if (s := self.exactly(host)) is not None]
        return found[0] if len(found) == 1 else None

    def service(self, host: str, namespace: str) -> Service | None:
        found = self.exactly(hosts.fqdn(host, namespace, self.mesh.domain))
        if found is None and host and "." not in host and not hosts.is_wildcard(host):
            found = self.bare(host.lower())
        return found

    def fqdn(self, host: str, namespace: str) -> str:
        return hosts.fqdn(host, namespace, self.mesh.domain)

    def cluster(self, host: str, namespace: str, *, port: int | None = None, subset: str = "", default_port: int) -> str:
        service = self.service(host, namespace)
        if service is None:
            return f"outbound|{port or default_port}|{subset}|{self.fqdn(host, namespace)}"
        if port is None:
            port = service.ports[0].number if len(service.ports) == 1 else default_port
        return f"outbound|{port}|{subset}|{service.host}"

    def policies(self, kind: type[Policy], namespace: str | None = None) -> Sequence[Policy]:
        return self._tracer.ask("policies", kind, namespace)

    def imports(self, policy: Policy) -> bool:
        """Does the client's Sidecar let it see a policy that says where requests go? By the policy's namespace and hosts, as in Istio."""
        seen, spoken = self._client.hosts, policy.concerns(self.mesh)
        if seen is None or spoken is None:
            return True
        return any(
            ns in ("*", policy.metadata.namespace) and hosts.narrower(pattern, host) is not None for ns, pattern in seen for host in spoken
        )


def exported(policies: Sequence[Policy], view: UnitView) -> Sequence[Policy]:
    """Those that are visible in the client's namespace (`exportTo`)."""
    seen = [
        p
        for p in policies
        if visible(getattr(p.spec, "export_to", None) or (), p.metadata.namespace, view.namespace, default=p.exported_by_default(view.mesh))
    ]
    return seen if len(seen) < len(policies) else policies
