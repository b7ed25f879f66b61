"""Which policy holds for a port of a subset: destination, port, subset, port of the subset (Istio: MergeTrafficPolicy)."""

from collections.abc import Mapping

from .schema import TrafficPolicy

_FIELDS = ("load_balancer", "connection_pool", "outlier_detection", "tls", "retry_budget", "tunnel", "proxy_protocol")
_OF_A_PORT = ("load_balancer", "connection_pool", "outlier_detection", "tls")


def effective(above: TrafficPolicy | None, subset: TrafficPolicy | None, port: int) -> TrafficPolicy:
    """A subset replaces, field by field, what holds above it. Port settings replace all four of theirs: what they leave unsaid is at its
    default, not inherited."""
    merged = TrafficPolicy()
    for level in (above, subset):
        if level is not None:
            merged = merged.model_copy(update={name: value for name in _FIELDS if (value := getattr(level, name)) is not None})
            merged = merged.model_copy(update=_at_port(level, port))
    return merged


def _at_port(policy: TrafficPolicy, port: int) -> Mapping[str, object]:
    own = next((each for each in policy.port_level_settings if each.port.number == port), None)
    return {name: getattr(own, name) for name in _OF_A_PORT} if own else {}
