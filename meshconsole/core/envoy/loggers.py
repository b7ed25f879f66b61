"""Everything that is written when a request or a connection ends: metrics (metrics.py), records for the console (access_logs.py), lines (file_logs.py)."""

from collections.abc import Sequence

from . import access_logs, file_logs, metric_overrides, metrics, packed
from .draft import Json
from .reporting import Side


def outbound_http(side: Side, *, tunnels: bool = False) -> list[Json]:
    counted = _http(metrics.outbound_tags(), side, tunnels=tunnels)
    return [*counted, *access_logs.outbound_http(side.console), *file_logs.loggers(side.files)]


def outbound_tcp(side: Side) -> list[Json]:
    return [
        *_shaped(metrics.tcp_loggers(metrics.outbound_tags()), side),
        *access_logs.outbound_tcp(side.console),
        *file_logs.loggers(side.files),
    ]


def gateway_http(side: Side, told: Sequence[Json]) -> list[Json]:
    return [
        *_http(metrics.outbound_tags(), side),
        *access_logs.gateway_http(side.console, told),
        *file_logs.loggers(side.files),
    ]


def gateway_tcp(side: Side) -> list[Json]:
    counted = metrics.tcp_loggers(metrics.outbound_tags())
    return [*_shaped(counted, side), *access_logs.gateway_tcp(side.console), *file_logs.loggers(side.files)]


def inbound_http(side: Side, service: str, told: Sequence[Json]) -> list[Json]:
    """`service`: `<fqdn>;<short name>;<namespace>`. `told`: access-log filters of what is told of in any case."""
    counted = _http(metrics.inbound_tags(service), side)
    return [*counted, *access_logs.inbound_http(side.console, service, told), *file_logs.loggers(side.files)]


def inbound_tcp(side: Side, service: str, told: Sequence[Json]) -> list[Json]:
    counted = metrics.tcp_loggers(metrics.inbound_tags(service))
    return [*_shaped(counted, side), *access_logs.inbound_tcp(side.console, service, told), *file_logs.loggers(side.files)]


def _http(tags: metrics.Tags, side: Side, *, tunnels: bool = False) -> list[Json]:
    off = frozenset(name for name, override in side.metrics if override.off)
    if off <= packed.SIZES and all(override.off for _, override in side.metrics):
        return [*packed.http_loggers(tags, tunnels=tunnels, without=off), *(metrics.tunnel_loggers(tags) if tunnels else ())]
    return _shaped(metrics.http_loggers(tags, tunnels=tunnels), side)


def _shaped(counted: list[Json], side: Side) -> list[Json]:
    return metric_overrides.applied(counted, side.metrics) if side.metrics else counted
