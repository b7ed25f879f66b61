"""What a Gateway may say (istio.io/latest/docs/reference/config/networking/gateway). Counterpart: checks.py."""

from typing import ClassVar

from pydantic import Field

from meshconsole.core.resources.common import Whole
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.server_tls import ServerTls


class ServerPort(Model):
    unsupported: ClassVar[dict[str, str]] = {"targetPort": "Kubernetes' service ports; the proxy listens to `number`"}

    number: Whole
    """The port that the gateway listens to, 1 to 65535; 0 where `bind` names a Unix socket."""
    protocol: str
    """`HTTP`, `HTTP2`, `GRPC`, `GRPC-WEB`; `HTTPS` and `TLS`, which need `tls`; `TCP`, `MONGO`, `MYSQL`, `REDIS`."""
    name: str
    """Unique among the Gateway's servers."""


class Server(Model):
    unsupported: ClassVar[dict[str, str]] = {"defaultEndpoint": "a VirtualService bound to the gateway says where requests go"}

    port: ServerPort
    """Where it listens."""
    hosts: list[str]
    """Names served: `shop.example.com`, `*.example.com`, `*`. `<namespace>/<host>` lets only that namespace's VirtualServices bind, `./<host>` the Gateway's own."""
    tls: ServerTls | None = None
    """For HTTPS, and for httpsRedirect."""
    bind: str = ""
    """The address to listen at, or a Unix socket of the gateway's host: `unix:///<path>`, or `unix://@<name>` in Linux's abstract namespace,
    with port number 0. Default: all addresses."""
    name: str = ""
    """Of the server, for people."""


class GatewaySpec(Model):
    servers: list[Server] = Field(default_factory=list)
    """What is listened to."""
    selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the gateway proxies, of any namespace, that this is for. Empty: every gateway proxy."""
