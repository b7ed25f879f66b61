"""Delta xDS to the proxies: sessions without I/O, the hub of each web process, and the status that any process can read."""

from typing import Any


def configdump(proxy_id: str) -> dict[str, list[dict[str, Any]]]:
    """See dump.py (imported late: this package is an app, loaded before Django's models are)."""
    from .dump import configdump as dump

    return dump(proxy_id)
