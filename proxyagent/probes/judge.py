"""From the results of probes to news. Pure."""


class Judge:
    """`successes` and `failures` in a row change its mind; who was never well is told of at the first failure."""

    def __init__(self, successes: int = 1, failures: int = 1) -> None:
        self._wanted = {True: max(successes, 1), False: max(failures, 1)}
        self._said: bool | None = None
        self._last: bool | None = None
        self._row = 0

    def result(self, reason: str) -> tuple[bool, str] | None:
        """`reason` is why the probe failed, '' when it did not. The answer is what to tell, if there is news."""
        healthy = not reason
        self._row = self._row + 1 if healthy == self._last else 1
        self._last = healthy
        at_once = self._said is None and not healthy
        if healthy == self._said or (self._row < self._wanted[healthy] and not at_once):
            return None
        self._said = healthy
        return healthy, reason
