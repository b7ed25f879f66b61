"""A percentile of the durations of requests above a limit."""

from collections.abc import Iterator

from meshconsole.core.policies.alert_rule import Latency
from meshconsole.core.resources.common import seconds

from ..evaluation import Finding
from ..readings import Period, Readings
from ..rule import Rule
from .base import Condition, labels, matchers, name, span, whole, window


class LatencyCondition(Condition):
    name = "latency"
    title = "Latency"

    def periods(self, spec: Latency) -> Iterator[Period]:
        yield window(spec)

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: Latency = rule.spec
        limit = float(seconds(spec.above)) * 1000
        for instance, golden in readings.golden(window(spec), rule.target).items():
            value = getattr(golden, spec.percentile.value)
            enough = golden.requests >= max(1, spec.minimum_requests)
            breached = enough and value is not None and value > limit
            taken = "no requests" if value is None else f"{value:.0f} ms"
            summary = f"{spec.percentile.value} of {name(instance)} is {taken} in {span(whole(spec.window))}"
            if breached:
                summary += f": longer than {spec.above}"
            yield Finding(instance, breached, summary, value, labels(instance, rule.target))

    def promql(self, rule: Rule) -> str | None:
        spec: Latency = rule.spec
        of, width = matchers(rule.target), f"{whole(spec.window)}s"
        by = "destination_service, destination_service_namespace"
        q = int(spec.percentile.value[1:]) / 100
        buckets = f"sum by ({by}, le) (rate(istio_request_duration_milliseconds_bucket{{{of}}}[{width}]))"
        enough = f"sum by ({by}) (increase(istio_requests_total{{{of}}}[{width}])) >= {max(1, spec.minimum_requests)}"
        return f"histogram_quantile({q:g}, {buckets}) > {float(seconds(spec.above)) * 1000:g} and {enough}"


CONDITION = LatencyCondition()
