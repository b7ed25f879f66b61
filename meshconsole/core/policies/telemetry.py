"""Telemetry: what proxies tell of their traffic. Metrics, traces and access logs, for the mesh, a namespace or a workload."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field

from meshconsole.core.envoy.draft import Draft
from meshconsole.core.envoy.reporting import AccessLog, CustomTag, FileLog, MetricOverride, ReportingDraft, Side, Tracing
from meshconsole.core.mesh import model
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources import cel
from meshconsole.core.resources.common import Boolean, Number, WorkloadSelector
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems as selector_problems

from .base import Phase, Policy, View

CONSOLE = "meshconsole"
"""The built-in provider of all three: this console."""
ENVOY = "envoy"
"""Istio's built-in access log: lines on Envoy's standard output."""
PROMETHEUS = "prometheus"
"""Istio's built-in provider of metrics: what the agent serves to Prometheus."""
DEFAULT_SAMPLING = 1.0
"""Percent, where a policy asks for traces and nothing says how many (Istio)."""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Mode(StrEnum):
    CLIENT_AND_SERVER = "CLIENT_AND_SERVER"
    CLIENT = "CLIENT"
    SERVER = "SERVER"


class Metric(StrEnum):
    ALL_METRICS = "ALL_METRICS"
    REQUEST_COUNT = "REQUEST_COUNT"
    REQUEST_DURATION = "REQUEST_DURATION"
    REQUEST_SIZE = "REQUEST_SIZE"
    RESPONSE_SIZE = "RESPONSE_SIZE"
    TCP_OPENED_CONNECTIONS = "TCP_OPENED_CONNECTIONS"
    TCP_CLOSED_CONNECTIONS = "TCP_CLOSED_CONNECTIONS"
    TCP_SENT_BYTES = "TCP_SENT_BYTES"
    TCP_RECEIVED_BYTES = "TCP_RECEIVED_BYTES"
    GRPC_REQUEST_MESSAGES = "GRPC_REQUEST_MESSAGES"
    GRPC_RESPONSE_MESSAGES = "GRPC_RESPONSE_MESSAGES"


STATS: dict[Metric, str] = {
    Metric.REQUEST_COUNT: "requests_total",
    Metric.REQUEST_DURATION: "request_duration_milliseconds",
    Metric.REQUEST_SIZE: "request_bytes",
    Metric.RESPONSE_SIZE: "response_bytes",
    Metric.TCP_OPENED_CONNECTIONS: "tcp_connections_opened_total",
    Metric.TCP_CLOSED_CONNECTIONS: "tcp_connections_closed_total",
    Metric.TCP_SENT_BYTES: "tcp_sent_bytes_total",
    Metric.TCP_RECEIVED_BYTES: "tcp_received_bytes_total",
}
"""Without `istio_`, as Envoy counts them."""
_MESSAGES = (Metric.GRPC_REQUEST_MESSAGES, Metric.GRPC_RESPONSE_MESSAGES)


class Provider(Model):
    name: Annotated[str, Field(min_length=1)]
    """`meshconsole`; for access logs also `envoy` (lines on Envoy's standard output), for metrics also `prometheus`; or one of the MeshConfig's extensionProviders."""


class Match(Model):
    mode: Mode = Mode.CLIENT_AND_SERVER
    """Of which side: `CLIENT` (also gateways), `SERVER`, or both (default)."""


class MetricMatch(Model):
    metric: Metric | None = None
    """One of Istio's metrics. Default: all."""
    custom_metric: str = ""
    """Its name without `istio_`; there are none besides Istio's."""
    mode: Mode = Mode.CLIENT_AND_SERVER
    """Of which side. Default: both."""


class Operation(StrEnum):
    UPSERT = "UPSERT"
    REMOVE = "REMOVE"


class TagOverride(Model):
    operation: Operation = Operation.UPSERT
    """`UPSERT` (default): the label gets `value`. `REMOVE`: the label is left out of what Prometheus scrapes."""
    value: str = ""
    """A CEL expression over Envoy's attributes: `request.method`, `'constant'`."""


class MetricsOverride(Model):
    match: MetricMatch | None = None
    """Which metrics, at which side. Default: all."""
    disabled: Boolean | None = None
    """They are not counted at all; also not for the topology and alerts."""
    tag_overrides: dict[str, TagOverride] = Field(default_factory=dict)
    """Label -> what becomes of it. The embedded store keeps labels that are not Istio's only as far as its limits go."""


class Metrics(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "reportingInterval": "connections are counted when they end, and the agent reads its Envoy every few seconds (--metrics-interval)"
    }

    providers: list[Provider] = Field(default_factory=list)
    """`prometheus` or `meshconsole`: the same figures go to both."""
    overrides: list[MetricsOverride] = Field(default_factory=list)
    """Later ones win."""


class Literal(Model):
    value: Annotated[str, Field(min_length=1)]
    """The tag's value."""


class Environment(Model):
    name: Annotated[str, Field(min_length=1)]
    """A variable of the agent's (and so its Envoy's) environment."""
    default_value: str = ""
    """Where there is none."""


class RequestHeader(Model):
    name: Annotated[str, Field(min_length=1)]
    """A header of the request."""
    default_value: str = ""
    """Where it is missing."""


class Formatter(Model):
    value: Annotated[str, Field(min_length=1)]
    """Envoy's format: `%REQ(x-user)%`."""


class Tag(Model):
    literal: Literal | None = None
    """A constant."""
    environment: Environment | None = None
    """Of the proxy's environment."""
    header: RequestHeader | None = None
    """Of the request."""
    formatter: Formatter | None = None
    """By Envoy's command operators."""


class Traces(Model):
    unsupported: ClassVar[dict[str, str]] = {"disableContextPropagation": "the Envoy API that is built in does not know it"}

    match: Match | None = None
    """Of which side. Default: both."""
    providers: list[Provider] = Field(default_factory=list)
    """`meshconsole`: spans go to the agent, and the console sends them on to Jaeger, Zipkin and others (OTLP_EXPORT_URL, ZIPKIN_URL)."""
    random_sampling_percentage: Annotated[Number, Field(ge=0, le=100)] | None = None
    """Of what comes untraced. Default: the level above's; TRACING_SAMPLING; 1 where that is 0."""
    disable_span_reporting: Boolean | None = None
    """No spans are made here. What a caller's trace headers say is passed on untouched."""
    custom_tags: dict[str, Tag] = Field(default_factory=dict)
    """Name -> tag of every span. Where given, they take the place of the level above's."""
    use_request_id_for_trace_sampling: Boolean | None = None
    """The request's id decides, so that all proxies decide alike. Default: true."""
    enable_istio_tags: Boolean | None = None
    """The mesh's own tags: the policies and lines that acted, the peer. Default: true; without them a trace cannot say why."""


class Filter(Model):
    expression: str
    """A CEL expression over Envoy's attributes that selects: `response.code >= 400`."""


class Logging(Model):
    match: Match | None = None
    """Of which side. Default: both."""
    providers: list[Provider] = Field(default_factory=list)
    """`envoy`: lines on Envoy's standard output; `meshconsole`: the console's Logs; or an envoyFileAccessLog of the MeshConfig. Default: those of the level above."""
    disabled: Boolean | None = None
    """These providers are told nothing."""
    filter: Filter | None = None
    """Of the provider `meshconsole` it takes the place of the console's own selection (errors, slow requests, a sample)."""


class TelemetrySpec(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "targetRef": "Kubernetes' Gateway API; use selector",
        "targetRefs": "Kubernetes' Gateway API; use selector",
    }

    selector: WorkloadSelector | None = None
    """The workloads that this is for. Without it: the whole namespace, or the whole mesh when in the root namespace."""
    tracing: list[Traces] = Field(default_factory=list)
    """Traces. What a level says of a field takes the place of what the level above says."""
    metrics: list[Metrics] = Field(default_factory=list)
    """Metrics."""
    access_logging: list[Logging] = Field(default_factory=list)
    """Access logs."""


class Telemetry(Policy):
    group: ClassVar[str] = "telemetry.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1alpha1")
    plural: ClassVar[str] = "telemetries"
    short_names: ClassVar[tuple[str, ...]] = ("telemetry",)
    phase: ClassVar[Phase | None] = Phase.TELEMETRY

    spec: TelemetrySpec = Field(default_factory=TelemetrySpec)
    """What is told, and to whom."""

    def check(self) -> Iterator[Message]:
        spec = self.spec
        labels = spec.selector.match_labels if spec.selector else {}
        yield from (self.error(path, text) for path, text in selector_problems(labels, "spec.selector.matchLabels"))
        for i, logging in enumerate(spec.access_logging):
            if logging.filter is not None and (wrong := cel.fault(logging.filter.expression)):
                yield self.error(f"spec.accessLogging[{i}].filter.expression", f"{logging.filter.expression!r}: {wrong}")
        for i, tracing in enumerate(spec.tracing):
            for name, tag in tracing.custom_tags.items():
                if sum(each is not None for each in (tag.literal, tag.environment, tag.header, tag.formatter)) != 1:
                    yield self.error(
                        f"spec.tracing[{i}].customTags.{name}", "needs exactly one of literal, environment, header and formatter"
                    )
            if len(tracing.providers) > 1:
                yield self.error(f"spec.tracing[{i}].providers", "Envoy has one tracer: name one provider")
        for i, metrics in enumerate(spec.metrics):
            for j, override in enumerate(metrics.overrides):
                yield from (self.error(f"spec.metrics[{i}].overrides[{j}].{at}", text) for at, text in _problems(override))

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, ReportingDraft):
            return
        assert isinstance(draft.workload, Workload)
        levels = _levels(list(policies), draft.workload, view.mesh.root_namespace)
        draft.client = _side(levels, draft.client, Mode.CLIENT, view.mesh)
        draft.server = _side(levels, draft.server, Mode.SERVER, view.mesh)


def _problems(override: MetricsOverride) -> Iterator[tuple[str, str]]:
    match = override.match
    if match and match.metric and match.custom_metric:
        yield "match", "metric and customMetric exclude each other"
    elif match and match.custom_metric and not _stats(match):
        yield "match.customMetric", f"there is no metric {match.custom_metric!r}; there are {', '.join(STATS.values())}"
    elif match and match.metric in _MESSAGES:
        yield "match.metric", "messages of gRPC are counted by a filter of Envoy's that cannot be told what to leave out"
    for label, tag in override.tag_overrides.items():
        at = f"tagOverrides.{label}"
        if not _LABEL.fullmatch(label):
            yield at, f"{label!r} is no name of a label"
        if tag.operation is Operation.REMOVE and tag.value:
            yield f"{at}.value", "must not be there with REMOVE"
        if tag.operation is Operation.UPSERT:
            if not tag.value:
                yield f"{at}.value", "must be there with UPSERT"
            elif wrong := cel.fault(tag.value):
                yield f"{at}.value", f"{tag.value!r}: {wrong}"
            elif ")%" in tag.value:
                yield f"{at}.value", "must not hold `)%`, which would end Envoy's operator"


def _levels(policies: Sequence[Telemetry], workload: Workload, root: str) -> list[Telemetry]:
    """At most one of each level, the oldest: the mesh's, the namespace's, the workload's (Istio: Telemetries.applicableTelemetries)."""
    own = [p for p in policies if p.metadata.namespace == workload.namespace]
    mesh = next((p for p in policies if p.metadata.namespace == root and p.spec.selector is None), None)
    namespace = next((p for p in own if p.spec.selector is None and p is not mesh), None)
    selecting = next((p for p in own if p.spec.selector and selects(p.spec.selector.match_labels, workload.labels)), None)
    return [p for p in (mesh, namespace, selecting) if p is not None]


def _side(levels: Sequence[Telemetry], side: Side, mode: Mode, mesh: model.MeshConfig) -> Side:
    console, files = _logs(levels, side, mode, mesh)
    return Side(console, files, _tracing(levels, side.tracing, mode), _metrics(levels, mode))


def _means(match: Match | MetricMatch | None, mode: Mode) -> bool:
    return match is None or match.mode in (mode, Mode.CLIENT_AND_SERVER)


def _logs(levels: Sequence[Telemetry], side: Side, mode: Mode, mesh: model.MeshConfig) -> tuple[AccessLog | None, tuple[FileLog, ...]]:
    """Istio: mergeLogs, provider by provider; but the console's own log stays until it is named."""
    known = {**({ENVOY: mesh.file_logs[0]} if mesh.file_logs else {ENVOY: FileLog()}), **dict(mesh.log_providers)}
    defaults = [ENVOY] if mesh.file_logs else []
    told: dict[str, FileLog] = {name: known[name] for name in defaults}
    console, names = side.console, [*defaults, CONSOLE]
    for policy in levels:
        entries = [entry for entry in policy.spec.access_logging if _means(entry.match, mode)]
        if any(entry.providers for entry in entries):
            told = {}  # a level that names providers means these
        for entry in entries:
            names = [provider.name for provider in entry.providers] or names
            expression = entry.filter.expression if entry.filter else ""
            for name in names:
                if name == CONSOLE:
                    console = None if entry.disabled else replace(side.console or AccessLog(), expression=expression)
                elif entry.disabled:
                    told.pop(name, None)
                elif name in known:
                    told[name] = replace(known[name], expression=expression)
    return console, tuple(told.values())


def _tracing(levels: Sequence[Telemetry], tracing: Tracing, mode: Mode) -> Tracing:
    """Istio: applicableTelemetries' tracing. Field by field; the first entry of a level that is for this side."""
    off = False
    for policy in levels:
        entry = next((each for each in policy.spec.tracing if _means(each.match, mode)), None)
        if entry is None:
            continue
        if entry.random_sampling_percentage is not None:
            tracing = replace(tracing, sampling=entry.random_sampling_percentage)
        elif tracing.sampling <= 0:
            tracing = replace(tracing, sampling=DEFAULT_SAMPLING)
        if entry.custom_tags:
            tracing = replace(tracing, tags=tuple(_tag(name, tag) for name, tag in sorted(entry.custom_tags.items())))
        if entry.use_request_id_for_trace_sampling is not None:
            tracing = replace(tracing, by_request_id=entry.use_request_id_for_trace_sampling)
        if entry.enable_istio_tags is not None:
            tracing = replace(tracing, mesh_tags=entry.enable_istio_tags)
        if entry.disable_span_reporting is not None:
            off = entry.disable_span_reporting
    return replace(tracing, sampling=0) if off else tracing


def _tag(name: str, tag: Tag) -> CustomTag:
    if tag.literal:
        return CustomTag(name, "literal", tag.literal.value)
    if tag.environment:
        return CustomTag(name, "environment", tag.environment.name, tag.environment.default_value)
    if tag.header:
        return CustomTag(name, "header", tag.header.name, tag.header.default_value)
    assert tag.formatter
    return CustomTag(name, "formatter", tag.formatter.value)


def _metrics(levels: Sequence[Telemetry], mode: Mode) -> tuple[tuple[str, MetricOverride], ...]:
    """Level after level, override after override; of one metric and label the last word holds."""
    off: dict[str, bool] = {}
    tags: dict[str, dict[str, str]] = {}
    for override in (each for policy in levels for metrics in policy.spec.metrics for each in metrics.overrides):
        if not _means(override.match, mode):
            continue
        for stat in _stats(override.match):
            if override.disabled is not None:
                off[stat] = override.disabled
            for label, tag in override.tag_overrides.items():
                tags.setdefault(stat, {})[label] = tag.value if tag.operation is Operation.UPSERT else ""
    names = sorted({stat for stat, disabled in off.items() if disabled} | {stat for stat, found in tags.items() if found})
    return tuple((stat, MetricOverride(off.get(stat, False), tuple(sorted(tags.get(stat, {}).items())))) for stat in names)


def _stats(match: MetricMatch | None) -> list[str]:
    if match and match.custom_metric:
        return [name for name in STATS.values() if name == match.custom_metric.removeprefix("istio_")]
    if match is None or match.metric in (None, Metric.ALL_METRICS):
        return list(STATS.values())
    assert match.metric is not None
    return [] if match.metric in _MESSAGES else [STATS[match.metric]]
