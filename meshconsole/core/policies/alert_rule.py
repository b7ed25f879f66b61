"""AlertRule: when somebody is to be told. It writes no Envoy configuration; `meshconsole.alerts` evaluates it."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar

import promql_parser
from pydantic import Field

from meshconsole.core.resources.common import Duration, PositiveDuration, seconds
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import name_fault, namespace_fault

from .base import Policy

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Times = Annotated[float, Field(gt=0, allow_inf_nan=False)]

_HOST = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?")
LONGEST_WINDOW = 7 * 86400


class Severity(StrEnum):
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Percentile(StrEnum):
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


class Target(Model):
    """What is watched. Without any field: every service (every proxy) of the rule's namespace; in the root namespace, of the whole mesh."""

    service: str = ""
    """One service, by its name in the rule's namespace or by its full name (`reviews.default.svc.cluster.local`)."""
    workload: str = ""
    """One workload of the rule's namespace, by its name (`reviews-v2`)."""


class ErrorRate(Model):
    """The share of failed requests (5xx, 4xx where Istio counts them as errors, gRPC errors, connection failures)."""

    above_percent: Percent | None = None
    """Breached above this share of the requests, in percent."""
    above_times: Times | None = None
    """Breached when the share is more than so many times what it was `comparedTo` ago: an error spike."""
    compared_to: PositiveDuration = "168h"
    """How long ago `aboveTimes` looks. Default `168h`: the same time last week."""
    window: PositiveDuration = "1m"
    """The time that requests are counted in. Default `1m`."""
    minimum_requests: int = Field(default=10, ge=0)
    """Fewer requests in the window than this say nothing. Default 10."""


class Latency(Model):
    percentile: Percentile = Percentile.P95
    """`p50`, `p95` (default) or `p99`."""
    above: PositiveDuration
    """Breached when the percentile is longer than this."""
    window: PositiveDuration = "1m"
    """The time that requests are counted in. Default `1m`."""
    minimum_requests: int = Field(default=10, ge=0)
    """Fewer requests in the window than this say nothing. Default 10."""


class RequestRate(Model):
    """How much is asked. Each field that is set is a limit; one breached limit is enough."""

    above: Amount | None = None
    """Breached above so many requests per second."""
    below: Amount | None = None
    """Breached below so many requests per second."""
    drop_percent: Percent | None = None
    """Breached when there are so many percent fewer requests than `comparedTo` ago."""
    rise_percent: Amount | None = None
    """Breached when there are so many percent more requests than `comparedTo` ago."""
    compared_to: PositiveDuration = "168h"
    """How long ago `dropPercent` and `risePercent` look. Default `168h`: the same time last week."""
    window: PositiveDuration = "5m"
    """The time that requests are counted in. Default `5m`."""


class CertificateExpiry(Model):
    within: PositiveDuration = "6h"
    """Breached when a workload's newest certificate ends within this. Certificates are renewed at half of their life. Default `6h`.
    A rule without a target namespace and workload also tells of roots (a year before they end), intermediates (180 days) and Secrets (30 days)."""


class ProxyOutOfSync(Model):
    """A connected proxy has not taken the newest configuration (STALE or NACKED). Use `for`: every change makes proxies stale for a moment."""


class Nack(Model):
    """An Envoy refused its configuration."""


class AgentDisconnected(Model):
    forget_after: PositiveDuration = "24h"
    """An agent that has been away for longer than this is taken for removed. Default `24h`."""


class PromQL(Model):
    """Anything that the Prometheus which the console reads from can say. Each series of the answer is an alert, as in Prometheus' own rules."""

    query: str = Field(min_length=1, max_length=4000)
    """An instant query that gives a vector: `sum by (destination_service) (rate(istio_requests_total{response_code="503"}[1m])) > 1`."""
    summary: str = Field(default="", max_length=500)
    """What is wrong, for people; `{label}` and `{value}` are filled in. Without it the series and its value are told."""


class Flapping(Model):
    """When an alert that comes and goes is held: it stays one alert, and its channels are told once."""

    times: int = Field(default=3, ge=2, le=100)
    """So many ends `within` the time make it flap. Default 3."""
    within: PositiveDuration = "1h"
    """Default `1h`."""
    hold_for: PositiveDuration = "15m"
    """A flapping alert resolves only when it has been over for this long. Default `15m`."""


class Condition(Model):
    """Exactly one of these."""

    error_rate: ErrorRate | None = None
    latency: Latency | None = None
    """How long answers take."""
    request_rate: RequestRate | None = None
    certificate_expiry: CertificateExpiry | None = None
    """A workload's certificate ends soon."""
    proxy_out_of_sync: ProxyOutOfSync | None = None
    nack: Nack | None = None
    agent_disconnected: AgentDisconnected | None = None
    """A workload's agent is away."""
    promql: PromQL | None = None

    def chosen(self) -> list[tuple[str, Model]]:
        """(field, what it says) of each that is set."""
        return [(name, said) for name in type(self).model_fields if (said := getattr(self, name)) is not None]


class AlertRuleSpec(Model):
    condition: Condition
    """What is wrong when it holds."""
    target: Target = Field(default_factory=Target)
    """What is watched."""
    for_: Duration = Field(default="0s", alias="for")
    """How long the condition must hold before the alert fires; until then it is pending. Default `0s`."""
    keep_firing_for: Duration = "30s"
    """How long the condition must be over before the alert resolves, so that one that comes and goes is one alert. Default `30s`."""
    flapping: Flapping = Field(default_factory=Flapping)
    severity: Severity = Severity.WARNING
    """`critical`, `error`, `warning` (default) or `info`."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Added to every alert of this rule: for routing in Alertmanager, for silences."""
    channels: list[str] = Field(default_factory=list, max_length=20)
    """NotificationChannels to tell, by name in the rule's namespace or as `<namespace>/<name>`. None: the alert is only shown."""
    description: str = Field(default="", max_length=2000)
    """What this means and what to do, for the one who is woken."""
    runbook: str = Field(default="", max_length=500)
    """The address of a page that says more."""
    disabled: bool = False
    """Keeps the rule without evaluating it."""


class AlertRule(Policy):
    group: ClassVar[str] = "meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "alertrules"
    short_names: ClassVar[tuple[str, ...]] = ("ar",)

    spec: AlertRuleSpec
    """When to tell whom."""

    def check(self) -> Iterator[Message]:
        spec = self.spec
        chosen = spec.condition.chosen()
        if len(chosen) != 1:
            yield self.error("spec.condition", f"must have exactly one condition, not {len(chosen)}")
        if spec.target.service and spec.target.workload:
            yield self.error("spec.target", "has service and workload; keep one")
        if spec.target.service and not _HOST.fullmatch(spec.target.service):
            yield self.error("spec.target.service", f"{spec.target.service!r} is no name of a service")
        if spec.target.workload and (fault := name_fault(spec.target.workload)):
            yield self.error("spec.target.workload", fault)
        for name, said in chosen:
            yield from self._limits(name, said)
        for n, channel in enumerate(spec.channels):
            namespace, slash, name = channel.rpartition("/")
            if name_fault(name) or (slash and namespace_fault(namespace)):
                yield self.error(f"spec.channels[{n}]", f"{channel!r} is no name of a NotificationChannel, nor <namespace>/<name>")
        if spec.runbook and not spec.runbook.startswith(("http://", "https://")):
            yield self.error("spec.runbook", "must start with http:// or https://")
        if not spec.channels and not spec.disabled:
            yield self.warning("spec.channels", "nobody is told: the alert is only shown on the page of alerts")

    def _limits(self, name: str, said: Model) -> Iterator[Message]:
        path = f"spec.condition.{type(self.spec.condition).model_fields[name].alias}"
        if isinstance(said, ErrorRate) and said.above_percent is None and said.above_times is None:
            yield self.error(path, "needs abovePercent or aboveTimes")
        if isinstance(said, RequestRate) and all(v is None for v in (said.above, said.below, said.drop_percent, said.rise_percent)):
            yield self.error(path, "needs above, below, dropPercent or risePercent")
        if isinstance(said, ErrorRate | Latency | RequestRate) and not 10 <= seconds(said.window) <= LONGEST_WINDOW:
            yield self.error(f"{path}.window", "must be between 10s, the finest that is counted, and 168h")
        if isinstance(said, PromQL):
            yield from self._promql(said, path)
        elif self.spec.target.service and not isinstance(said, ErrorRate | Latency | RequestRate):
            yield self.error("spec.target.service", f"{path.rpartition('.')[2]} is about proxies: name a workload, or nothing")

    def _promql(self, said: PromQL, path: str) -> Iterator[Message]:
        if self.spec.target.model_fields_set:
            yield self.error("spec.target", "the query says what is watched: leave target out")
        try:
            found = promql_parser.parse(said.query)
        except ValueError as e:
            yield self.error(f"{path}.query", f"is no PromQL: {e}")
            return
        if isinstance(found, promql_parser.MatrixSelector | promql_parser.StringLiteral):
            yield self.error(f"{path}.query", "gives no vector: an alert needs one value for each series")
