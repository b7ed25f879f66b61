"""Retries, as Istio's users write them: of a route in a VirtualService, for the whole mesh in the MeshConfig."""

from collections.abc import Iterator

from .common import Boolean, Count, PositiveDuration
from .envelope import Model

RETRY_ON = frozenset(
    [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "envoy-ratelimited",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]
)


class Retries(Model):
    attempts: Count = 0
    """How many tries after the first; 0 turns retries off."""
    per_try_timeout: PositiveDuration | None = None
    """Default: the route's timeout."""
    retry_on: str = ""
    """Envoy's conditions, comma-separated; integers are status codes. Default:
    `connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes`."""
    retry_remote_localities: Boolean | None = None
    """Try other localities too. Default false."""
    retry_ignore_previous_hosts: Boolean | None = None
    """Never again at an instance that was tried. Default true, and false with a consistent hash."""
    backoff: PositiveDuration | None = None
    """The base of the exponential back-off. Default 25 ms."""


def faults(retries: Retries, path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong)"""
    if retries.attempts == 0 and (retries.per_try_timeout or retries.retry_on or retries.retry_remote_localities is not None):
        yield path, "attempts: 0 (the default) turns retries off; say how many attempts, or remove the other fields"
    for condition in filter(None, (each.strip() for each in retries.retry_on.split(","))):
        if condition.isascii() and condition.isdigit():
            if not 100 <= int(condition) <= 599:
                yield f"{path}.retryOn", f"{condition} is no HTTP status"
        elif condition not in RETRY_ON:
            yield f"{path}.retryOn", f"{condition!r} is not one of {', '.join(sorted(RETRY_ON))}, or a status code"
