"""How much one agent may ask of the console. Whoever asks more is read more slowly; the others do not notice."""

import asyncio
import time
from collections.abc import Callable

HANDSHAKE_SECONDS = 15.0
"""From the open socket to State: who dawdles holds a socket, and nothing else."""
HANDSHAKE_BYTES = 256 * 1024
"""Of one frame before the agent is known."""


class Bucket:
    """A token bucket: `burst` at once, `rate` a second after that."""

    __slots__ = ("_at", "_clock", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic):
        self.rate, self.burst, self._clock = rate, burst, clock
        self._left, self._at = burst, clock()

    def wait(self, cost: float = 1.0) -> float:
        """Take `cost`; how many seconds to wait for it."""
        now = self._clock()
        self._left = min(self.burst, self._left + (now - self._at) * self.rate) - cost
        self._at = now
        return max(0.0, -self._left / self.rate)

    def left(self) -> float:
        """How much could be taken without waiting."""
        return min(self.burst, self._left + (self._clock() - self._at) * self.rate)

    async def take(self, cost: float = 1.0) -> None:
        if seconds := self.wait(cost):
            await asyncio.sleep(min(seconds, 30.0))
