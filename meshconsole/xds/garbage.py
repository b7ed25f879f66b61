"""
When Python looks for cyclic garbage: in quiet moments, and not in the middle of a push.

With a thousand agents connected one full look took 250 ms, during which nobody was answered. What has lived through one is set aside
(`gc.freeze`), so that the next ones look only at what came since; all of it is looked at again now and then, for what has left meanwhile.
"""

import gc

EVERY, AT_THE_LATEST = 60.0, 600.0
"""Seconds between two looks: when it is quiet, and in any case."""
WHOLE = 30
"""Every so many looks, at everything."""
THRESHOLDS = (5_000, 20, 1_000_000)
"""Young objects are looked at as they come; the old ones only here."""


class Tender:
    def __init__(self, now: float) -> None:
        self._before = gc.get_threshold()
        self._last = now
        self._looks = 0
        gc.set_threshold(*THRESHOLDS)

    def tend(self, now: float, *, quiet: bool) -> bool:
        """Look, if it is time. True when it was."""
        if now - self._last < (EVERY if quiet else AT_THE_LATEST):
            return False
        self._last = now
        self._looks += 1
        if self._looks % WHOLE == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
        return True

    def stop(self) -> None:
        gc.set_threshold(*self._before)
        gc.unfreeze()
