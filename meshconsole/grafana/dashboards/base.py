"""What every dashboard has: uid, tags, the datasource to choose, links to the others and back to the console."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.models import dashboard as model

from ..panels import SOURCE

TAG = "meshconsole"
ALL = model.VariableOption(text="All", value="$__all")


def dashboard(uid: str, title: str, text: str) -> Any:
    return (
        builder.Dashboard(title)
        .uid(f"meshconsole-{uid}")
        .description(text)
        .tags([TAG, "istio"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time("now-30m", "now")
        .refresh("30s")
        .timezone("browser")
        .link(
            builder.DashboardLink("Mesh")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(False)
        )
        .with_variable(builder.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )


def variable(name: str, label: str, query: str, *, everything: bool = True) -> Any:
    """`query` is one of Grafana's: label_values(metric, label)."""
    found = (
        builder.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
    return found.include_all(True).all_value(".*").current(ALL) if everything else found


def row(title: str) -> Any:
    return builder.Row(title)
