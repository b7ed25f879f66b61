"""Where a Gateway's server contradicts itself. Rules are Istio's (pkg/config/validation: validateServer, validateTLSOptions)."""

import re
from collections.abc import Iterator

from meshconsole.core.envoy.draft import Serves
from meshconsole.core.resources.endpoints import UNIX, is_ip
from meshconsole.core.resources.server_tls import TlsMode, files, problems

from .schema import Server

HTTP = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")
PROTOCOLS = (*HTTP, "HTTPS", "TLS", "TCP", "MONGO", "MYSQL", "REDIS")
LONGEST_PATH = 107
"""Of a Unix socket, in bytes (sockaddr_un)."""
_NAMESPACE = re.compile(r"\*|\.|[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*")


def server_problems(server: Server) -> Iterator[tuple[str, str]]:
    """(field, what is wrong)"""
    port, protocol = server.port, server.port.protocol.upper()
    unix = server.bind.startswith(UNIX)
    if port.number and unix:
        yield "port.number", "port number must be 0 for unix domain socket"
    elif not unix and not 0 < port.number < 65536:
        yield "port.number", "port must be between 1-65535"
    if not port.name:
        yield "port.name", "port name must be set"
    if protocol == "UDP":
        yield "port.protocol", "not supported yet: UDP; Istio's gateways do not serve it either"
    elif protocol not in PROTOCOLS:
        yield "port.protocol", f"unknown protocol {port.protocol!r}: one of {', '.join(PROTOCOLS)}"
    if not server.hosts:
        yield "hosts", "server config must contain at least one host"
    for i, written in enumerate(server.hosts):
        namespace, slash, host = written.rpartition("/")
        if slash and not _NAMESPACE.fullmatch(namespace):
            yield f"hosts[{i}]", f"namespace {namespace!r} is neither a name nor one of `.`, `*`"
        if not _HOST.fullmatch(host):
            yield f"hosts[{i}]", f"{host!r} is neither a domain name nor a wildcard (`*.example.com`, `*`)"
    if unix:
        path = server.bind.removeprefix(UNIX)
        if not path.startswith(("/", "@")) or path.endswith("/") or len(path.encode()) > LONGEST_PATH:
            yield "bind", f"a Unix socket is unix:///<path> or unix://@<name>, of {LONGEST_PATH} bytes at most"
    elif server.bind and not is_ip(server.bind):
        yield "bind", f"{server.bind!r} is neither an IP address nor unix:///<path>"
    if protocol in HTTP:
        if server.tls is not None and (server.tls.mode is not TlsMode.PASSTHROUGH or files(server.tls)):
            yield "tls", "server cannot have TLS settings for plain text HTTP ports (besides httpsRedirect)"
    elif server.tls is not None:
        yield from ((f"tls.{field}", text) for field, text in problems(server.tls))
        if server.tls.https_redirect and protocol != "HTTPS":
            yield "tls.httpsRedirect", f"only HTTP requests can be redirected; this server speaks {protocol}"
    elif protocol in ("HTTPS", "TLS"):
        yield "tls", "server must have TLS settings for HTTPS/TLS protocols"


def serves(server: Server) -> Serves:
    """Istio: IsTCPServer, IsPassThroughServer, IsHTTPSServerWithTLSTermination and their like."""
    protocol = server.port.protocol.upper()
    if protocol in HTTP:
        return Serves.HTTP
    if server.tls is not None and server.tls.mode is TlsMode.PASSTHROUGH:
        return Serves.TLS
    if server.tls is not None and server.tls.mode is TlsMode.AUTO_PASSTHROUGH:
        return Serves.MESH
    return Serves.HTTP if protocol == "HTTPS" else Serves.TCP
