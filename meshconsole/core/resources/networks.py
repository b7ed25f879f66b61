"""Networks and the gateways through which others reach them, as Istio's users write them (MeshNetworks)."""

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from .common import Whole
from .endpoints import is_ip
from .envelope import Model

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


class NetworkGateway(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "registryServiceName": "name the gateway's address",
        "locality": "a network's gateways share its traffic evenly",
    }

    address: str
    """IP address at which clients of other networks reach the gateway."""
    port: Whole
    """Its port of a Gateway server with `tls: {mode: AUTO_PASSTHROUGH}`; 15443 by custom."""


class NetworkEndpoints(Model):
    unsupported: ClassVar[dict[str, str]] = {"fromCidr": "endpoints and agents say their `network` themselves"}

    from_registry: str = ""
    """Refused (IST0126): there are no registries of other clusters. Endpoints and agents say their `network` themselves."""


class Network(Model):
    gateways: list[NetworkGateway] = Field(default_factory=list)
    """Through these, clients of other networks reach its endpoints. None: its endpoints are dialled directly."""
    endpoints: list[NetworkEndpoints] = Field(default_factory=list)
    """Refused, whatever it says."""


def registries(networks: Mapping[str, Network], path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong): IST0126"""
    for name, network in networks.items():
        for n, each in enumerate(network.endpoints):
            if each.from_registry:
                yield f"{path}.{name}.endpoints[{n}].fromRegistry", f"Unknown service registry: {each.from_registry} in network: {name}"


def faults(networks: Mapping[str, Network], path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong)"""
    for name, network in networks.items():
        if not _NAME.fullmatch(name):
            yield f"{path}.{name}", f"{name!r} is no name of a network"
        for n, each in enumerate(network.endpoints):
            if not each.from_registry:
                yield f"{path}.{name}.endpoints[{n}]", "must name a registry"
        for n, gateway in enumerate(network.gateways):
            if not is_ip(gateway.address):
                yield f"{path}.{name}.gateways[{n}].address", f"{gateway.address!r} is no IP address"
            if not 0 < gateway.port < 65536:
                yield f"{path}.{name}.gateways[{n}].port", "port must be between 1-65535"
