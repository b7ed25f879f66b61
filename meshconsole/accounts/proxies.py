"""
Who really asks, when reverse proxies stand in front: ASGI, for HTTP and WebSockets alike.

`X-Forwarded-For` and `X-Forwarded-Proto` are believed when the connection itself comes from TRUSTED_PROXIES, and then read from the right:
each trusted proxy has added whom it saw, and what stands to the left of the first stranger is the stranger's invention.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class TrustedProxies:
    def __init__(self, app: App, networks: Iterable[str]):
        self.app = app
        self.networks = [ipaddress.ip_network(n.strip(), strict=False) for n in networks if n.strip()]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if self.networks and scope["type"] in ("http", "websocket"):
            scope = self.seen(scope)
        await self.app(scope, receive, send)

    def seen(self, scope: Scope) -> Scope:
        host, port = scope.get("client") or ("", 0)
        if not self.trusts(host):
            return scope
        said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        chain = [part.strip() for part in ",".join(said).split(",") if part.strip()]
        client = host
        for hop in reversed(chain):
            hop = _address(hop)
            if not hop:
                break
            client = hop
            if not self.trusts(hop):
                break
        scope = {**scope, "client": (client, 0 if client != host else port)}
        protocols = [value.decode("latin-1").strip().lower() for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        if protocols and protocols[-1].split(",")[-1].strip() in ("https", "wss"):
            scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        return scope

    def trusts(self, host: str) -> bool:
        try:
            ip = ipaddress.ip_address(host)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self.networks)


def _address(text: str) -> str:
    """`192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`; empty for what is no address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
