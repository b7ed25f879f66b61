"""How an Envoy takes leave: no new requests, those under way end, and nothing is served after its figures were read for the last time."""

import asyncio
import logging

from . import admin

log = logging.getLogger("proxyagent")

LEARN_SECONDS = 0.5
"""How long a Goodbye takes to reach every peer's Envoy."""
_ACTIVE = "/stats?filter=^(http|listener)\\..*downstream_(cx|rq)_active$"


async def drain(path: str, seconds: float) -> None:
    """Peers learn from the console that we go; Envoy tells those connected; then wait until no request is under way, and close the doors."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        await admin.request(path, "/drain_listeners?graceful&skip_exit", "POST")
        await asyncio.sleep(min(LEARN_SECONDS, seconds))
        await _idle(path, end)
        # Until now it takes whoever still comes. What it served after the last scrape would be counted nowhere.
        await admin.request(path, "/drain_listeners", "POST")
        await _idle(path, loop.time() + min(LEARN_SECONDS, seconds))
    except admin.Unavailable as e:
        log.warning("draining: %s", e)


async def _idle(path: str, end: float) -> None:
    """Until no request is under way, or it is `end`. Raises admin.Unavailable."""
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        if not admin.busy((await admin.request(path, _ACTIVE)).decode()):
            return
        await asyncio.sleep(0.1)
