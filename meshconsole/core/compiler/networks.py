"""
Endpoints of another network are reached through that network's gateways (Istio: EndpointsByNetworkFilter).

The gateway passes mesh TLS on by server name and sees nothing of it; so an endpoint that does not take mutual TLS cannot be reached
through one, and is left out. A client or an endpoint that names no network is in every network.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import lcm

from meshconsole.core.envoy.clusters import Target
from meshconsole.core.mesh.model import Endpoint, MeshConfig

from .client import NETWORK
from .view import UnitView


def routed(found: Sequence[tuple[Endpoint, Target]], view: UnitView) -> list[Target]:
    gateways = _gateways(view.mesh)
    crossing = [bool(gateways.get(endpoint.network)) for endpoint, _ in found]
    here = view.labels.get(NETWORK, "") if any(crossing) else ""
    away = [crosses and here not in ("", endpoint.network) for crosses, (endpoint, _) in zip(crossing, found, strict=True)]
    if not any(away):
        return [target for _, target in found if target.address]
    # Every endpoint keeps its share: what several gateways carry is divided among them, in whole numbers.
    scale = lcm(*(len(gateways[endpoint.network]) for gone, (endpoint, _) in zip(away, found, strict=True) if gone))
    direct: list[Target] = []
    shared: dict[tuple[str, int, str, int], int] = {}
    for gone, (endpoint, target) in zip(away, found, strict=True):
        weight = max(target.weight, 1) * scale
        if not gone:
            if target.address:
                direct.append(replace(target, weight=weight))
        elif target.mtls:
            doors = gateways[endpoint.network]
            for address, port in doors:
                key = (address, port, target.locality, target.rank)
                shared[key] = shared.get(key, 0) + weight // len(doors)
    through = [Target(address, port, True, "", locality, weight, rank) for (address, port, locality, rank), weight in shared.items()]
    return direct + through


def _gateways(mesh: MeshConfig) -> dict[str, tuple[tuple[str, int], ...]]:
    return dict(mesh.networks)
