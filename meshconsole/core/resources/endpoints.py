"""One endpoint as ServiceEntry and WorkloadEntry write it: the schema that they share, and what it may not say."""

import ipaddress
import re
from collections.abc import Iterator

from pydantic import Field

from .common import Uint32, Whole
from .envelope import Model
from .selectors import problems as selector_problems

UNIX = "unix://"
FQDN = re.compile(r"([A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?\.?")
PORT_NAME = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,60}[a-zA-Z0-9])?")


class WorkloadEndpoint(Model):
    address: str = Field(default="", max_length=256)
    """An IP address; nothing, where a network is named and reached through its gateways; `unix:///path` of a socket on the client's host (resolution STATIC, one port); or a host name (resolution DNS)."""
    ports: dict[str, Whole] = Field(default_factory=dict)
    """Name of a service's port -> port at this endpoint, where it differs. Not for Unix sockets."""
    labels: dict[str, str] = Field(default_factory=dict)
    """What selectors and subsets look at. `security.istio.io/tlsMode: istio` says that a proxy of the mesh stands there and takes mutual TLS."""
    network: str = Field(default="", max_length=2048)
    """Name of the network. Clients of another network reach the endpoint through the gateways that the MeshConfig's meshNetworks names for
    it, by mutual TLS; without any, directly."""
    locality: str = Field(default="", max_length=2048)
    """`region/zone/sub-zone`."""
    weight: Uint32 = 0
    """Share of the traffic, relative to the others. 0 or unset: 1."""
    service_account: str = Field(default="", max_length=253)
    """The account that the endpoint's certificate must prove (`spiffe://…/ns/<namespace>/sa/<account>`)."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """(field, what is wrong), whatever the service is."""
        address = self.address
        if not address:
            if not self.network:
                yield "address", "address is required"
        elif address.startswith(UNIX):
            path = address.removeprefix(UNIX)
            if not path.startswith(("/", "@")):
                yield "address", "a Unix socket must be an absolute path or an abstract socket"
            elif path.endswith("/"):
                yield "address", "a Unix socket may not be a directory"
            if self.ports:
                yield "ports", "a Unix socket may not include ports"
        elif not is_ip(address) and not FQDN.fullmatch(address):
            yield "address", f"{address!r} is neither an IP address nor a host name"
        for name, number in self.ports.items():
            if not PORT_NAME.fullmatch(name):
                yield f"ports.{name}", f"port name must be valid: {name!r}"
            if not 0 < number < 65536:
                yield f"ports.{name}", "port must be between 1-65535"
        yield from selector_problems(self.labels, "labels")


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_range(text: str) -> bool:
    """An IP address or a CIDR range."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
