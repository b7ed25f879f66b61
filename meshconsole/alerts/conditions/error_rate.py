"""The share of failed requests: above a limit, or a spike against some time ago."""

from collections.abc import Iterator

from meshconsole.core.policies.alert_rule import ErrorRate

from ..evaluation import Finding
from ..readings import Period, Readings
from ..rule import Rule
from .base import Condition, before, labels, matchers, name, percent, span, whole, window

QUIET = 0.001
"""The share that a spike is measured against at least: from none to one failure is infinitely more, and nothing."""


class ErrorRateCondition(Condition):
    name = "error_rate"
    title = "Error rate"

    def periods(self, spec: ErrorRate) -> Iterator[Period]:
        yield window(spec)
        if spec.above_times is not None:
            yield before(spec)

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: ErrorRate = rule.spec
        then = readings.golden(before(spec), rule.target) if spec.above_times is not None else {}
        for instance, golden in readings.golden(window(spec), rule.target).items():
            enough = golden.requests >= max(1, spec.minimum_requests)
            reasons = []
            if enough and spec.above_percent is not None and golden.error_share * 100 > spec.above_percent:
                reasons.append(f"more than {spec.above_percent:g} %")
            if enough and spec.above_times is not None and (old := then.get(instance)) and old.requests >= max(1, spec.minimum_requests):
                usual = max(old.error_share, QUIET)
                if golden.error_share > spec.above_times * usual:
                    reasons.append(f"{golden.error_share / usual:.3g} times what it was {span(whole(spec.compared_to))} ago")
            said = f"{percent(golden.error_share)} of {golden.requests} requests to {name(instance)} failed in {span(whole(spec.window))}"
            summary = f"{said}: {', '.join(reasons)}" if reasons else said
            yield Finding(instance, bool(reasons), summary, golden.error_share, labels(instance, rule.target))

    def promql(self, rule: Rule) -> str | None:
        spec: ErrorRate = rule.spec
        if spec.above_percent is None:
            return None
        of, by = matchers(rule.target), "destination_service, destination_service_namespace"
        width = f"{whole(spec.window)}s"
        failed = f'sum by ({by}) (rate(istio_requests_total{{{of}, response_code=~"0|4..|5.."}}[{width}]))'
        all_ = f"sum by ({by}) (rate(istio_requests_total{{{of}}}[{width}]))"
        enough = f"sum by ({by}) (increase(istio_requests_total{{{of}}}[{width}])) >= {max(1, spec.minimum_requests)}"
        return f"{failed} / {all_} > {spec.above_percent / 100:g} and {enough}"


CONDITION = ErrorRateCondition()
