"""What a proxy tells of its traffic: values, as settings and policies decide them. access_logs.py, tracing.py and metrics.py write them down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AccessLog:
    """Which requests Envoy tells the console of, besides those that failed."""

    slow_ms: int = 1000
    """Those that take at least that long; 0: none for being slow."""
    sampling: float = 1.0
    """Percent of all."""
