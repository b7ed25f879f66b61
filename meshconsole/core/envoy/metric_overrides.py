"""Metrics as a Telemetry wants them: some not counted, some with other labels. On what metrics.py wrote; the agent knows `removed` (relay/labels.py)."""

from typing import Any

from .draft import Json
from .filling import Once
from .reporting import MetricOverride

REMOVED = "removed"
"""The tag that names the labels that the agent leaves out, with commas."""
_TAGS = frozenset(("request_protocol", "response_code", "response_flags", "grpc_response_status"))
"""Labels that Envoy itself writes: taken away here, they cost nothing any more."""


def applied(loggers: list[Json], overrides: tuple[tuple[str, MetricOverride], ...]) -> list[Json]:
    wanted = dict(overrides)
    found = []
    for logger in loggers:
        config: dict[str, Any] = dict(logger["typed_config"])
        for kind in ("counters", "histograms"):
            if kind in config:
                config[kind] = [made for each in config[kind] if (made := _shaped(each, wanted)) is not None]
        if config.get("counters") or config.get("histograms"):
            found.append({**logger, "typed_config": Once({key: value for key, value in config.items() if value != []})})
    return found


def _shaped(metric: Json, wanted: dict[str, MetricOverride]) -> Json | None:
    override = wanted.get(metric["stat"]["name"])
    if override is None:
        return metric
    if override.off:
        return None
    said = dict(override.tags)
    removed = sorted(label for label, expression in said.items() if not expression)
    tags = [tag for tag in metric["stat"]["tags"] if tag["name"] not in said or tag["name"] not in _TAGS]
    tags += [{"name": label, "value_format": f"%CEL({expression})%"} for label, expression in sorted(said.items()) if expression]
    if removed:
        tags.append({"name": REMOVED, "value_format": ",".join(removed)})
    return {**metric, "stat": {**metric["stat"], "tags": tags}}
