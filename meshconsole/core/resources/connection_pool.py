"""Limits of connections and requests, as Istio's users write them: of callers in a DestinationRule, in front of an application in a Sidecar."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .common import Boolean, Count, Duration, PositiveDuration, Uint32, seconds
from .envelope import Model

MAX_KEEPALIVE, MAX_PROBES = 32767, 127


class TcpKeepalive(Model):
    probes: Uint32 = 0
    """Unanswered probes before the connection is given up; 0 (default): the system's own."""
    time: PositiveDuration | None = None
    """Idle time before the first probe, in whole seconds. Default: the system's own."""
    interval: PositiveDuration | None = None
    """Between probes, in whole seconds. Default: the system's own."""


class TcpPool(Model):
    max_connections: Count = 0
    """From one proxy to the service; 0 (default): 2^32-1."""
    connect_timeout: PositiveDuration | None = None
    """Default 10s."""
    tcp_keepalive: TcpKeepalive | None = None
    """Default: off."""
    max_connection_duration: PositiveDuration | None = None
    """Default: no limit."""
    idle_timeout: Duration | None = None
    """Of a connection without traffic; default 1h, 0s: never. http.idleTimeout wins where both are given."""


class H2Upgrade(StrEnum):
    DEFAULT = "DEFAULT"
    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class Http2KeepAlive(Model):
    interval: PositiveDuration | None = None
    """Between PING frames."""
    timeout: PositiveDuration | None = None
    """How long the answer may take before the connection is given up."""


class HttpPool(Model):
    http1_max_pending_requests: Annotated[Count, Field(alias="http1MaxPendingRequests")] = 0
    """Requests that wait for a connection; 0 (default): 2^32-1."""
    http2_max_requests: Annotated[Count, Field(alias="http2MaxRequests")] = 0
    """Requests under way at once (HTTP/1.1 too); 0 (default): 2^32-1."""
    max_requests_per_connection: Count = 0
    """0 (default): no limit; 1: no keep-alive."""
    max_retries: Count = 0
    """Retries under way at once; 0 (default): 2^32-1."""
    idle_timeout: PositiveDuration | None = None
    """Of a connection without requests; default 1h."""
    h2_upgrade_policy: Annotated[H2Upgrade, Field(alias="h2UpgradePolicy")] = H2Upgrade.DEFAULT
    """`UPGRADE`: speak HTTP/2 to the service although its port says HTTP/1.1."""
    use_client_protocol: Boolean = False
    """HTTP/1.1 or HTTP/2 as the client came; excludes h2UpgradePolicy UPGRADE."""
    max_concurrent_streams: Count = 0
    """Per HTTP/2 connection; 0 (default): 2147483647."""
    http2_keep_alive: Annotated[Http2KeepAlive | None, Field(alias="http2KeepAlive")] = None
    """PING frames on HTTP/2 connections. Default: none."""


class ConnectionPool(Model):
    tcp: TcpPool | None = None
    """What holds for HTTP too, which runs on TCP."""
    http: HttpPool | None = None
    """What holds for HTTP only."""


def faults(given: ConnectionPool, path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong)"""
    if given.tcp is None and given.http is None:
        yield path, "says nothing; add tcp or http"
    for name, part in (("tcp", given.tcp), ("http", given.http)):
        if part is not None and not part.model_fields_set:
            yield f"{path}.{name}", "says nothing; leave it out"
    if given.tcp and given.tcp.tcp_keepalive:
        yield from keepalive_faults(given.tcp.tcp_keepalive, f"{path}.tcp.tcpKeepalive")
    http = given.http
    if http and http.http2_keep_alive and not http.http2_keep_alive.timeout:
        yield f"{path}.http.http2KeepAlive.timeout", "is required"
    if http and http.use_client_protocol and http.h2_upgrade_policy == "UPGRADE":
        yield f"{path}.http.useClientProtocol", "useClientProtocol and h2UpgradePolicy: UPGRADE exclude one another; keep one"


def keepalive_faults(alive: TcpKeepalive, path: str) -> Iterator[tuple[str, str]]:
    for name, duration in (("time", alive.time), ("interval", alive.interval)):
        if duration and seconds(duration) > MAX_KEEPALIVE:
            yield f"{path}.{name}", f"{duration} is longer than {MAX_KEEPALIVE}s, the most that Linux takes"
    if alive.probes > MAX_PROBES:
        yield f"{path}.probes", f"{alive.probes} are more than {MAX_PROBES}, the most that Linux takes"
