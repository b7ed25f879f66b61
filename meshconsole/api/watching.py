"""Kubernetes' watch: what happens to a list, as one JSON object per line. Its counterpart is the list it starts from."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from asgiref.sync import sync_to_async

EVERY = 0.5
"""Seconds between two looks. A look reads the database once; a second is soon enough for people and for `kubectl wait`."""

Manifests = Callable[[], list[dict[str, Any]]]


async def events(read: Manifests, since: int, seconds: float) -> AsyncIterator[bytes]:
    """Everything there is, then what becomes of it, for so many seconds; `since` is the list that the watcher has seen, or 0. Changes of status are changes too."""
    seen: dict[str, dict[str, Any]] = {}
    end, kind = time.monotonic() + seconds, "ADDED"
    look = sync_to_async(read)
    if since:
        # A status may have moved between the list and now: saying once more what there is costs little, and nothing is missed.
        kind = "MODIFIED"
    while True:
        now = {m["metadata"]["uid"]: m for m in await look()}
        for event in changes(seen, now, kind):
            yield json.dumps(event).encode() + b"\n"
        seen, kind = now, "ADDED"
        if time.monotonic() >= end:
            return
        await asyncio.sleep(min(EVERY, max(0.0, end - time.monotonic())))


def changes(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], new: str = "ADDED") -> list[dict[str, Any]]:
    """What a watcher who knows `before` must be told; `new` is what to call what was not there."""
    found = []
    for uid, manifest in after.items():
        if uid not in before:
            found.append({"type": new, "object": manifest})
        elif manifest != before[uid]:
            found.append({"type": "MODIFIED", "object": manifest})
    found += [{"type": "DELETED", "object": manifest} for uid, manifest in before.items() if uid not in after]
    return found
