"""
Refused agents in the audit log: who came from where as whom, and why not.

Whoever is refused may come again a thousand times: the same refusal is written once an hour, and all together are so many a minute. Each one
is in the process's log and counted in `meshconsole_agents_refused` all the same.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.xds.threads import in_database

from .limits import Bucket

log = logging.getLogger(__name__)

UNTOLD = frozenset({"busy", "replaced", "protocol"})
"""No judgement on who asks."""
AGAIN = 3600.0
MOST = 10_000
"""Refusals remembered."""


class Refusals:
    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._room = Bucket(0.5, 30, clock)
        self._left_out = 0

    def due(self, address: str, name: str, code: str) -> int | None:
        """How many were left out before this one, if it is to be written; None if not."""
        key, now = (address, name, code), self._clock()
        if (at := self._told.get(key)) is not None and now - at < AGAIN:
            return None
        if self._room.left() < 1:
            self._left_out += 1
            return None
        self._room.wait()
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > MOST:
            self._told.popitem(last=False)
        left_out, self._left_out = self._left_out, 0
        return left_out


refusals = Refusals()


async def note(address: str, name: str, code: str, message: str) -> None:
    """Never raises: an agent is refused also where nothing can be written."""
    if code in UNTOLD or (left_out := refusals.due(address, name, code)) is None:
        return
    more = f"\n{left_out} more refusals were not written down" if left_out else ""
    try:
        who = Author(f"agent {name}"[:150] if name else "a stranger", "system", address)
        await in_database(audit.record, who, "refuse", f"Agent {name or 'unknown'}", f"{code}: {message}{more}")
    except (DatabaseError, InterfaceError, OSError) as e:
        log.warning("A refusal is not in the audit log: %s", e)
