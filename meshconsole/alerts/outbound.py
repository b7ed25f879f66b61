"""
HTTP to addresses that users name. Only public addresses, or those of ALERT_ALLOWED_NETWORKS; no redirects, no proxies, bounded answers.

The address is checked when it is connected to, not before: a name that answers differently the second time (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any

import httpcore
from django.conf import settings

from .notifiers.base import NotifyError

TIMEOUT = 10.0
MOST = 64 * 1024
"""Bytes of an answer that are looked at."""
PERMANENT = frozenset(range(400, 500)) - {408, 409, 423, 425, 429}
"""Answers that will not get better by asking again."""


class Refused(NotifyError):
    """The address is none that may be spoken to."""

    def __init__(self, text: str) -> None:
        super().__init__(text, permanent=True)


def allowed(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in ipaddress.ip_network(n, strict=False) for n in settings.ALERT_ALLOWED_NETWORKS):
        return True
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def addresses(host: str, port: int) -> list[str]:
    """Those of `host`, if every one of them may be spoken to. Raises NotifyError."""
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as e:
        raise NotifyError(f"{host} cannot be resolved: {e}") from e
    if not found or not all(map(allowed, found)):
        raise Refused(f"{host} is a private address; ALERT_ALLOWED_NETWORKS must name its network before messages go there")
    return found


class _Guarded(httpcore.SyncBackend):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *rest: Any, **more: Any) -> Any:
        last: Exception | None = None
        for address in addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, *rest, **more)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                last = e
        raise last or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(self, *_: Any, **__: Any) -> Any:
        raise Refused("messages do not go to Unix sockets")


def post(url: str, body: bytes, headers: Mapping[str, str] | None = None, *, secret: str = "") -> tuple[int, bytes]:
    """The answer's status and body, when it is a success. Raises NotifyError; `secret` is kept out of its text."""
    sent = [("content-type", "application/json"), ("user-agent", "meshconsole"), *(headers or {}).items()]
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT)
    try:
        with (
            httpcore.ConnectionPool(network_backend=_Guarded()) as pool,
            pool.stream("POST", url, headers=sent, content=body, extensions={"timeout": timeouts}) as answer,
        ):
            said, status = b"", answer.status
            for chunk in answer.iter_stream():
                said += chunk
                if len(said) > MOST:
                    break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
        raise NotifyError(redacted(f"no answer: {type(e).__name__} {e}".strip(), secret)) from None
    except (httpcore.UnsupportedProtocol, ValueError, TypeError) as e:
        raise NotifyError(redacted(f"not an address to post to: {e}", secret), permanent=True) from None
    if not 200 <= status < 300:
        text = said[:300].decode(errors="replace").strip()
        raise NotifyError(
            redacted(f"answered {status}{': ' + text if text else ''}", secret), permanent=status in PERMANENT or status < 400
        )
    return status, said


def redacted(text: str, secret: str) -> str:
    return text.replace(secret, "…") if len(secret) >= 4 else text
