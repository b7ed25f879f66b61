"""
Error budgets: how much is left, and how fast it burns. Pure.

Burn rate 1 uses the budget up exactly at the end of the window. An alert looks at two windows: the long one says that it matters, the
short one that it is still going on (Google's SRE workbook, chapter 5: "multiwindow, multi-burn-rate alerts").
"""

from collections.abc import Mapping
from dataclasses import dataclass

MONTH = 30 * 86400
MINIMUM = 10
"""Requests in the long window below which a burn rate says nothing: one failure of three is no trend."""


@dataclass(frozen=True)
class Count:
    good: int = 0
    total: int = 0

    @property
    def bad_share(self) -> float | None:
        """None without requests."""
        return (self.total - self.good) / self.total if self.total else None

    @property
    def good_share(self) -> float | None:
        return self.good / self.total if self.total else None


@dataclass(frozen=True)
class Pair:
    """Two windows in seconds, and the burn rate that both must exceed."""

    name: str
    long: int
    short: int
    factor: float
    severity: str


_MONTHLY = (
    Pair("fast", 3600, 300, 14.4, "critical"),  # 2 % of the month's budget in an hour
    Pair("steady", 6 * 3600, 1800, 6.0, "critical"),  # 5 % in six hours
    Pair("slow", 86400, 7200, 3.0, "warning"),  # 10 % in a day
    Pair("creeping", 3 * 86400, 6 * 3600, 1.0, "warning"),  # 10 % in three days
)


def pairs(window: float) -> tuple[Pair, ...]:
    """The pairs for a budget of `window` seconds: the month's, scaled, but never finer than what is counted (10 s) allows."""
    scale = min(1.0, window / MONTH)
    return tuple(Pair(p.name, _whole(p.long * scale, 300), _whole(p.short * scale, 60), p.factor, p.severity) for p in _MONTHLY)


def _whole(seconds: float, least: int) -> int:
    return max(least, round(seconds / 10) * 10)


def budget(objective: float) -> float:
    """The share of requests that may fail; `objective` in percent."""
    return (100.0 - objective) / 100.0


def burn_rate(count: Count, objective: float) -> float | None:
    """None without requests."""
    share = count.bad_share
    return None if share is None else share / budget(objective)


def budget_left(count: Count, objective: float) -> float | None:
    """The share of the budget that is left, 1 (untouched) down to 0 (used up) and below (broken); None without requests."""
    rate = burn_rate(count, objective)
    return None if rate is None else 1.0 - rate


@dataclass(frozen=True)
class Burning:
    """One pair, as it is now."""

    pair: Pair
    long: float | None
    short: float | None
    breached: bool


def burning(counts: Mapping[int, Count], objective: float, window: float) -> list[Burning]:
    """`counts` by window length; every window of `pairs(window)` must be there."""
    found = []
    for pair in pairs(window):
        long, short = counts[pair.long], counts[pair.short]
        long_rate, short_rate = burn_rate(long, objective), burn_rate(short, objective)
        breached = (
            long.total >= MINIMUM
            and long_rate is not None
            and short_rate is not None
            and long_rate > pair.factor
            and short_rate > pair.factor
        )
        found.append(Burning(pair, long_rate, short_rate, breached))
    return found
