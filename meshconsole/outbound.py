"""
The one guard of every connection to an address that a user has named: webhooks, key sets, whatever comes next.

A name is resolved, every address that it has must be allowed, and the connection goes to the address that was looked at. A name that answers
otherwise the second time (DNS rebinding) gains nothing, a redirect is a new connection and is looked at again, proxies of the environment are
not used. A server that answers drop by drop is let go at the deadline: a limit for each read alone would hold a worker for hours.

Allowed are public addresses, and networks that the operator has named (OUTBOUND_ALLOWED_NETWORKS for all, others for one purpose).
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LINK_LOCAL = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10"), ipaddress.ip_network("fd00:ec2::254/128"))
"""Where clouds answer with the machine's own credentials. Only a network that is named opens these, no switch for 'private' does."""


class NotAllowed(Exception):
    """`host` has an address that may not be spoken to."""

    def __init__(self, host: str):
        super().__init__(f"{host} is a private address")
        self.host = host


class Unresolved(Exception):
    """The name has no address now."""


def plain(address: str) -> Address:
    """The address that is really meant: IPv4 inside of IPv6 (mapped, compatible, NAT64, 6to4, Teredo) is taken out."""
    ip: Address = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if inner := ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1]):
            return inner
        if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def allowed(address: str, networks: Iterable[str] = (), *, private: bool = False) -> bool:
    """May this address be spoken to? `networks` are allowed besides the public ones; `private` allows all but the link-local."""
    ip = plain(address)
    if any(ip in ipaddress.ip_network(n, strict=False) for n in (*settings.OUTBOUND_ALLOWED_NETWORKS, *networks)):
        return True
    if any(ip in network for network in _LINK_LOCAL):
        return False
    return private or (ip.is_global and not ip.is_multicast and not ip.is_reserved)


def resolve(host: str, port: int, may: Callable[[str], bool]) -> list[str]:
    """The addresses of `host`, if every one of them may be spoken to. Raises NotAllowed, Unresolved."""
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as e:
        raise Unresolved(f"{host} cannot be resolved: {e}") from e
    if not found or not all(map(may, found)):
        raise NotAllowed(host)
    return found


class Guarded(httpcore.SyncBackend):
    """For httpcore's pools: `ConnectionPool(network_backend=Guarded(may))`. Raises NotAllowed, Unresolved from within the request."""

    def __init__(self, may: Callable[[str], bool], seconds: float):
        """`seconds`: from now on, for all that is said over its connections."""
        self.may = may
        self.end = time.monotonic() + seconds

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *rest: Any, **more: Any) -> Any:
        last: Exception | None = None
        for address in resolve(host, port, self.may):
            try:
                return _Until(super().connect_tcp(address, port, _left(self.end, timeout), *rest, **more), self.end)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                last = e
        raise last or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise NotAllowed(path)


class _Until(httpcore.NetworkStream):
    """A stream that is over at `end` (time.monotonic), however often something arrives."""

    def __init__(self, stream: httpcore.NetworkStream, end: float):
        self._stream = stream
        self._end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._end, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._end, timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Until(self._stream.start_tls(ssl_context, server_hostname, _left(self._end, timeout)), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _left(end: float, timeout: float | None) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("it took too long altogether")
    return left if timeout is None else min(left, timeout)
