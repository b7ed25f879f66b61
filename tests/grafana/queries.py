"""The queries of all panels, as Grafana would send them."""

from typing import NamedTuple

from meshconsole.grafana import generate

VALUES = {"$__rate_interval": "20s", "$namespace": ".*", "$service": ".*", "$reporter": "source", "$workload": ".*"}


class Asked(NamedTuple):
    dashboard: str
    panel: str
    promql: str


def every() -> list[Asked]:
    return [
        Asked(uid, panel["title"], target["expr"])
        for uid, made in generate.dashboards().items()
        for panel in made["panels"]
        for target in panel.get("targets") or ()
    ]


def variables() -> list[str]:
    """What the drop-down lists ask: label_values(…)."""
    return [v["query"] for made in generate.dashboards().values() for v in made["templating"]["list"] if v["type"] == "query"]


def filled(promql: str) -> str:
    for name, value in VALUES.items():
        promql = promql.replace(name, value)
    return promql
