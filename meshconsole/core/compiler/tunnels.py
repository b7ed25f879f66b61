"""
CONNECT at the outbound port: how an application that is told of an HTTP proxy (`https_proxy`) reaches TCP and TLS services.

The name and port that it asks for say what the address and the server name say to a listener of outbound_tcp.py; the rules are the same.
"""

from meshconsole.core.envoy.draft import Json, Route, RouteDestination
from meshconsole.core.mesh import hosts

from .client import ClientClass
from .memo import Tracer

MATCH: Json = {"connect_matcher": {}}
ENDED: Json = {"timeout": "0s", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}
"""The tunnel ends here: what comes through it goes on as bare TCP."""


def route(tracer: Tracer, client: ClientClass, host: str, port: int) -> Route | None:
    """Of a virtual host whose port is TCP's or TLS's."""
    found = tracer.unit(("tcp-host", client, host, port)).value
    for chain in found.chains:
        # What is dialled here is a name: rules about addresses have nothing to say.
        if not chain.subnets and (not chain.tls or chain.own or any(hosts.matches(name, host) for name in chain.sni)):
            destinations = [RouteDestination(name, weight) for name, weight in chain.destinations]
            origin = chain.origins[0] if chain.origins else None
            return Route("tunnel", MATCH, destinations, action=dict(ENDED), origin=origin)
    return None
