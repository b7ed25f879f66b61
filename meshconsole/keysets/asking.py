"""
Asking a server for its keys. The address is a user's, so: public addresses only (unless JWKS_ALLOW_PRIVATE), at every redirect too,
checked when it is connected to (a name that answers otherwise the second time gains nothing); no proxies; little time, few bytes.
"""

import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
from django.conf import settings

from meshconsole.core.policies.request_authentication import key_fault

TIMEOUT = 5.0
"""Istio's. For each step, and for all together."""
MOST = 256 * 1024
REDIRECTS = 3


class Unavailable(Exception):
    """Why there are no keys, in words for a user."""


def allowed(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return settings.JWKS_ALLOW_PRIVATE or (ip.is_global and not ip.is_multicast and not ip.is_reserved)


class _Guarded(httpcore.SyncBackend):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *rest: Any, **more: Any) -> Any:
        try:
            found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as e:
            raise Unavailable(f"{host} cannot be resolved: {e}") from e
        if not found or not all(map(allowed, found)):
            raise Unavailable(f"{host} is a private address; JWKS_ALLOW_PRIVATE must be set before the console asks there")
        last: Exception | None = None
        for address in found:
            try:
                return super().connect_tcp(address, port, timeout, *rest, **more)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                last = e
        raise last or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(self, *_: Any, **__: Any) -> Any:
        raise Unavailable("keys are not asked for at Unix sockets")


def keys(uri: str) -> str:
    """The key set that `uri` has now. Raises Unavailable."""
    end = time.monotonic() + TIMEOUT
    at = uri
    for _ in range(REDIRECTS + 1):
        if urlsplit(at).scheme not in ("http", "https"):
            raise Unavailable(f"{at[:200]} is not an http or https address")
        status, location, body = _get(at, end)
        if status in (301, 302, 303, 307, 308) and location:
            at = urljoin(at, location)
            continue
        if status != 200:
            raise Unavailable(f"answered {status}")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise Unavailable("answered with something that is not text") from None
        if fault := key_fault(text):
            raise Unavailable(f"answered with something else than a key set: it {fault}")
        return text
    raise Unavailable(f"redirected more than {REDIRECTS} times")


def _get(uri: str, end: float) -> tuple[int, str, bytes]:
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), max(0.05, end - time.monotonic()))
    sent = [("accept", "application/json"), ("user-agent", "meshconsole")]
    try:
        with (
            httpcore.ConnectionPool(network_backend=_Guarded()) as pool,
            pool.stream("GET", uri, headers=sent, extensions={"timeout": timeouts}) as answer,
        ):
            body = b""
            for chunk in answer.iter_stream():
                body += chunk
                if len(body) > MOST:
                    raise Unavailable(f"answered with more than {MOST} bytes")
                if time.monotonic() > end:
                    raise Unavailable(f"did not answer within {TIMEOUT:.0f} s")
            location = next((v.decode("latin-1") for k, v in answer.headers if k.lower() == b"location"), "")
            return answer.status, location, body
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
        raise Unavailable(f"no answer: {type(e).__name__} {e}".strip()) from None
    except (httpcore.UnsupportedProtocol, ValueError, TypeError) as e:
        raise Unavailable(f"not an address to ask at: {e}") from None
