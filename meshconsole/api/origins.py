"""
Which pages may open a WebSocket here: browsers send their cookies along to any site's, and ask nobody (cross-site WebSocket hijacking).

The page's origin must be the host, port and all, that the socket is opened at, or one of CSRF_TRUSTED_ORIGINS. Another port of the same host is another
program, though cookies do not know ports. Agents are no browsers and send no Origin: `absent` lets them in.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import validate_host

log = logging.getLogger(__name__)


class SameOrigin:
    def __init__(self, app: Callable[..., Awaitable[Any]], *, absent: bool = False):
        self.app, self.absent = app, absent

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin, host = (headers.get(name, b"").decode("latin-1").lower() for name in (b"origin", b"host"))
        if self.welcome(origin, host, scope.get("scheme", "ws")):
            return await self.app(scope, receive, send)
        log.warning("A page of %s may not open a WebSocket at %s", origin[:200] or "nowhere", scope["path"])
        return await WebsocketDenier()(scope, receive, send)

    def welcome(self, origin: str, host: str, scheme: str) -> bool:
        if not origin:
            return self.absent
        try:
            page, here = urlsplit(origin), urlsplit(f"{scheme}://{host}")
            if not page.hostname or page.scheme not in ("http", "https"):
                return False
            # The default port is not said; which it is, a proxy that ends TLS may have hidden from us.
            if (page.hostname, page.port or None) == (here.hostname, None if here.port in (80, 443) else here.port):
                return validate_host(f"[{here.hostname}]" if ":" in str(here.hostname) else str(here.hostname), _hosts())
        except ValueError:  # a port that is none
            return False
        return origin in {o.lower().rstrip("/") for o in settings.CSRF_TRUSTED_ORIGINS}


def _hosts() -> list[str]:
    return settings.ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
