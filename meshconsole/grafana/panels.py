"""The few shapes of panel that all dashboards use, so that they look alike. Queries use `$__rate_interval`, as Grafana recommends."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as formats

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"

RATE, SHARE, MILLISECONDS, BYTES, BYTES_PER_SECOND, COUNT, SECONDS, ONES = (
    "reqps",
    "percentunit",
    "ms",
    "bytes",
    "Bps",
    "short",
    "s",
    "none",
)


class Query(NamedTuple):
    promql: str
    legend: str = ""


Queries = str | Query | Sequence[Query]


def _queries(queries: Queries) -> list[Query]:
    if isinstance(queries, str):
        return [Query(queries)]
    return [queries] if isinstance(queries, Query) else list(queries)


def _targets(panel: Any, queries: Queries, *, instant: bool = False, as_table: bool = False) -> Any:
    for ref, asked in zip("ABCDEFGH", _queries(queries), strict=False):
        target = query.Dataquery().expr(asked.promql).ref_id(ref).datasource(SOURCE)
        target = target.instant() if instant else target.range()
        if asked.legend:
            target = target.legend_format(asked.legend)
        panel = panel.with_target(target.format(formats.PromQueryFormat.TABLE) if as_table else target)
    return panel


def lines(title: str, queries: Queries, unit: str, *, help: str = "", width: int = 8, stack: bool = False, top: float | None = None) -> Any:
    """A chart over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(help)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .line_width(1.5)
        .fill_opacity(25 if stack else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM).show_legend(True)
        )
    )
    if stack:
        panel = panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if top is not None:
        panel = panel.max(top)
    return _targets(panel, queries)


def figure(
    title: str,
    promql: str,
    unit: str,
    *,
    help: str = "",
    width: int = 4,
    steps: Sequence[tuple[float | None, str]] = (),
    none: str = "no traffic",
) -> Any:
    """One number now. `steps`: from which value on it has which colour (None: from below); what is below the first is green."""
    colours = [model.Threshold(None, GREEN), *(model.Threshold(value, colour) for value, colour in steps)]
    if steps and steps[0][0] is None:
        colours = [model.Threshold(value, colour) for value, colour in steps]
    panel = (
        stat.Panel()
        .title(title)
        .description(help)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .no_value(none)
        .color_mode(shapes.BigValueColorMode.VALUE if steps else shapes.BigValueColorMode.NONE)
        .graph_mode(shapes.BigValueGraphMode.AREA)
        .thresholds(builder.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(colours))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _targets(panel, promql)


def rows(
    title: str, columns: Sequence[tuple[str, str, str]], *, by: Sequence[str], help: str = "", width: int = 24, height: int = 9
) -> Any:
    """A table: one row per combination of the labels `by`; columns are (name, PromQL, unit)."""
    panel = table.Panel().title(title).description(help).datasource(SOURCE).span(width).height(height)
    panel = _targets(panel, [Query(promql) for _, promql, _ in columns], instant=True, as_table=True)
    names = {f"Value #{ref}": name for ref, (name, _, _) in zip("ABCDEFGH", columns, strict=False)}
    panel = panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={})).with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": {label: i for i, label in enumerate(by)}, "renameByName": names},
        )
    )
    for ref, (_, _, unit) in zip("ABCDEFGH", columns, strict=False):
        panel = panel.override_by_name(f"Value #{ref}", [model.DynamicConfigValue("unit", unit), model.DynamicConfigValue("decimals", 2)])
        panel = panel.override_by_name(
            names[f"Value #{ref}"], [model.DynamicConfigValue("unit", unit), model.DynamicConfigValue("decimals", 2)]
        )
    return panel


def quantile(q: float, metric: str, where: str, by: str = "") -> str:
    """Of one of Istio's histograms."""
    return f"histogram_quantile({q}, sum by (le{', ' + by if by else ''}) (rate({metric}_bucket{{{where}}}[$__rate_interval])))"


def rate(metric: str, where: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}[$__rate_interval]))"


def success(where: str, by: str = "") -> str:
    """The share of requests that were answered, by neither a 5xx, no answer at all, nor a gRPC status but 0."""
    group = f" by ({by})" if by else ""
    both = f'rate(istio_requests_total{{{where}, response_code!~"5..|0", grpc_response_status=~"|0"}}[$__rate_interval])'
    return f"sum{group} ({both}) / sum{group} (rate(istio_requests_total{{{where}}}[$__rate_interval]))"
