"""
`python -m meshconsole.ca.serving <uvicorn's words>`: the web process with TLS whose certificate can change while it runs.

With MESHCONSOLE_TLS_NAMES the certificate is the mesh's own, renewed here; without, it is what --ssl-certfile and --ssl-keyfile name,
read again when the file changes.
"""

import logging
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LOOK = 5.0
NAMES = "MESHCONSOLE_TLS_NAMES"


def own() -> Path:
    from django.conf import settings

    return Path(settings.HOME) / "tls" / "console.pem"


def context(config: Any, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Uvicorn asks for it once in each process."""
    import django

    django.setup()
    names = os.environ.get(NAMES, "").split()
    chain = own() if names else Path(config.ssl_certfile)
    key = None if names else config.ssl_keyfile or None
    if names:
        with ThreadPoolExecutor(1) as thread:  # uvicorn asks from within its event loop, where the database may not be used
            thread.submit(_renew, chain, names).result()
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.set_alpn_protocols(["http/1.1"])
    found.load_cert_chain(chain, key)
    threading.Thread(target=_follow, args=(found, chain, key, names), daemon=True, name="tls").start()
    return found


def _renew(chain: Path, names: list[str]) -> None:
    from django.db import connection
    from django.utils import timezone

    from .console import renewed

    try:
        renewed(chain, names, timezone.now())
    finally:
        connection.close()


def _follow(found: ssl.SSLContext, chain: Path, key: str | None, names: list[str]) -> None:
    """New connections get the newest certificate; those that are, stay."""
    seen = chain.stat().st_mtime_ns
    while True:
        time.sleep(LOOK)
        try:
            if names:
                _renew(chain, names)
            if (now := chain.stat().st_mtime_ns) != seen:
                found.load_cert_chain(chain, key)
                seen = now
                log.info("The console serves with a new certificate")
        except Exception as e:  # it goes on with what it has, and tries again
            log.warning("The console's certificate was not renewed: %s", e)


def main(words: list[str]) -> None:
    import uvicorn
    from uvicorn.main import main as command

    said = command.make_context("uvicorn", words).params
    taken = (
        "app", "host", "port", "workers", "loop", "http", "ws", "ws_max_size", "ws_ping_interval", "ws_ping_timeout", "ws_per_message_deflate",
        "lifespan", "backlog", "timeout_keep_alive", "timeout_graceful_shutdown", "access_log", "log_level", "proxy_headers", "server_header",
        "ssl_certfile", "ssl_keyfile",
    )  # fmt: skip
    uvicorn.run(**{name: said[name] for name in taken}, ssl_context_factory=context)


if __name__ == "__main__":
    from meshconsole.ca import serving  # by its own name, so that uvicorn's further processes find `context`

    serving.main(sys.argv[1:])
