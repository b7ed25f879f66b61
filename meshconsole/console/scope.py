"""What every page looks at: a namespace and a span of time. Both live in the URL, so that any view can be sent to a colleague."""

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

RANGES: dict[str, tuple[str, int]] = {
    "1m": ("Last minute", 60),
    "5m": ("Last 5 minutes", 300),
    "15m": ("Last 15 minutes", 900),
    "1h": ("Last hour", 3600),
    "6h": ("Last 6 hours", 6 * 3600),
    "24h": ("Last 24 hours", 24 * 3600),
    "7d": ("Last 7 days", 7 * 24 * 3600),
    "30d": ("Last 30 days", 30 * 24 * 3600),
}
DEFAULT_RANGE = "15m"


@dataclass(frozen=True)
class Scope:
    namespace: str
    """Empty: every namespace."""
    range: str
    end: float

    @classmethod
    def of(cls, request: HttpRequest) -> "Scope":
        chosen = request.GET.get("range", DEFAULT_RANGE)
        return cls(request.GET.get("namespace", "")[:63], chosen if chosen in RANGES else DEFAULT_RANGE, time.time())

    @property
    def seconds(self) -> int:
        return RANGES[self.range][1]

    @property
    def start(self) -> float:
        return self.end - self.seconds

    @property
    def label(self) -> str:
        return RANGES[self.range][0]

    @property
    def namespaces(self) -> list[str] | None:
        """For queries that take a list: None is every namespace."""
        return [self.namespace] if self.namespace else None

    @property
    def step(self) -> int:
        """Seconds between two points of a chart: some 90 points, never finer than the finest rollup (10 s)."""
        return next((s for s in (10, 30, 60, 300, 900, 3600, 14400) if self.seconds / s <= 100), 28800)

    @property
    def query(self) -> str:
        """`?namespace=…&range=…`, without what is at its default: links keep the scope by it."""
        said = {}
        if self.namespace:
            said["namespace"] = self.namespace
        if self.range != DEFAULT_RANGE:
            said["range"] = self.range
        return f"?{urlencode(said)}" if said else ""
