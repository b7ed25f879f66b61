"""From what a request's Host says to the one virtual host that serves it, for one class of clients; and back, to every spelling of it."""

from dataclasses import dataclass

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Resolution, Service
from meshconsole.core.mesh.services import default_port
from meshconsole.core.policies.base import Phase

from .client import ClientClass
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView


@dataclass(frozen=True, slots=True)
class Canonical:
    """A virtual host's identity: `outbound/<host>:<port>`."""

    host: str
    port: int
    known: bool = True
    """A service or a VirtualService stands behind it."""

    @property
    def name(self) -> str:
        return f"outbound/{self.host}:{self.port}"


def compile_resolution(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: Canonical, or None where the authority is no host at all."""
    _, client, authority = key
    assert isinstance(client, ClientClass) and isinstance(authority, str)
    parsed = hosts.parse_authority(authority)
    if parsed is None:
        return Result(None)
    host, port = parsed
    view = UnitView(tracer, client)
    service = find(view, host)
    if service is not None:
        number = port or getattr(default_port(service), "number", 80)
        each = _stands_alone(service, host)
        if service.port(number) is not None:
            return Result(Canonical(host if each else service.host, number))
    elif any(tracer.ask("concerning", kind, host) for kind in kinds.of(Phase.ROUTES)):
        return Result(Canonical(host, port or 80))
    return Result(Canonical(host, port or 80, known=False))


def _stands_alone(service: Service, host: str) -> bool:
    """Is `host` a virtual host of its own? A name of a wildcard, or an address, that says where the caller was going (resolution NONE);
    or an address of a range, of which there are too many to be names of the service's."""
    if hosts.is_address(host) and host != service.host:
        return service.resolution is Resolution.NONE or host.strip("[]") not in service.addresses
    return hosts.is_wildcard(service.host) and service.resolution is Resolution.NONE


def find(view: UnitView, host: str) -> Service | None:
    """The visible service that a client means by `host`: exactly, by a shorter spelling of a mesh service, by a wildcard."""
    domain = view.mesh.domain
    candidates = [host]
    parts = host.split(".")
    if len(parts) == 1:
        candidates.append(f"{host}.{view.namespace}.svc.{domain}")
    elif len(parts) == 2:
        candidates.append(f"{host}.svc.{domain}")
    elif len(parts) == 3 and parts[2] == "svc":
        candidates.append(f"{host}.{domain}")
    for candidate in candidates:
        service = view.exactly(candidate)
        if service is not None:
            return service
    if hosts.is_address(host):
        return view.at(host)
    if len(parts) == 1 and (service := view.bare(host)) is not None:
        return service
    return view.wildcard(host)


def spellings(view: UnitView, service: Service) -> list[str]:
    """Every name by which this class of clients reaches `service` and no other."""
    names = [service.host]
    suffix = f".svc.{view.mesh.domain}"
    if service.host.endswith(suffix):
        qualified = service.host.removesuffix(suffix)
        short = qualified.partition(".")[0]
        candidates = [short, qualified, f"{qualified}.svc"]
        names += [name for name in candidates if (found := find(view, name)) is not None and found.host == service.host]
    if service.resolution is not Resolution.NONE:
        addresses = [f"[{address}]" if ":" in address else address for address in service.addresses if "/" not in address]
        names += [address for address in addresses if (found := view.at(address)) is not None and found.host == service.host]
    return list(dict.fromkeys(names))


def domains(view: UnitView, service: Service | None, host: str, port: int) -> tuple[str, ...]:
    """Envoy's `domains`: every spelling with the port, and without it where that is the port meant."""
    names = [host] if service is None or host != service.host else spellings(view, service)
    portless = port == 80 if service is None else port == getattr(default_port(service), "number", 80)
    return tuple([f"{name}:{port}" for name in names] + (list(names) if portless else []))
