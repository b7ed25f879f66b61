"""How long to wait before the next try. Pure: chance is an argument in [0, 1)."""

FIRST = 0.25
SHORT = 2.0
"""The longest wait at first: a console that restarts finds its agents back within two seconds."""
PATIENT = 30
"""Failures after which it is more than a restart."""
LONGEST = 15.0
SLOW = (60.0, 300.0)
"""After a refusal that trying again would not change."""


def delay(failures: int, chance: float) -> float:
    """Exponential, with full jitter: a thousand agents whose console restarts do not come back as one."""
    longest = SHORT if failures < PATIENT else LONGEST
    return min(FIRST * 2 ** min(failures, 16), longest) * chance


def slow_delay(chance: float) -> float:
    return SLOW[0] + (SLOW[1] - SLOW[0]) * chance
