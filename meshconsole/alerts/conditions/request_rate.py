"""How much is asked: above or below a limit, or a drop or rise against some time ago."""

from collections.abc import Iterator

from meshconsole.core.policies.alert_rule import RequestRate

from ..evaluation import Finding
from ..readings import Period, Readings
from ..rule import Rule
from .base import Condition, before, labels, matchers, name, span, whole, window


class RequestRateCondition(Condition):
    name = "request_rate"
    title = "Request rate"

    def periods(self, spec: RequestRate) -> Iterator[Period]:
        yield window(spec)
        if spec.drop_percent is not None or spec.rise_percent is not None:
            yield before(spec)

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: RequestRate = rule.spec
        length = whole(spec.window)
        now = {i: g.requests / length for i, g in readings.golden(window(spec), rule.target).items()}
        compared = spec.drop_percent is not None or spec.rise_percent is not None
        then = {i: g.requests / length for i, g in readings.golden(before(spec), rule.target).items()} if compared else {}
        for instance in sorted({*now, *then}):
            rate, old = now.get(instance, 0.0), then.get(instance, 0.0)
            reasons = []
            if spec.above is not None and rate > spec.above:
                reasons.append(f"more than {spec.above:g}")
            if spec.below is not None and rate < spec.below:
                reasons.append(f"less than {spec.below:g}")
            if old and spec.drop_percent is not None and rate < old * (1 - spec.drop_percent / 100):
                reasons.append(f"{(1 - rate / old) * 100:.3g} % less than {span(whole(spec.compared_to))} ago")
            if old and spec.rise_percent is not None and rate > old * (1 + spec.rise_percent / 100):
                reasons.append(f"{(rate / old - 1) * 100:.3g} % more than {span(whole(spec.compared_to))} ago")
            said = f"{name(instance)} gets {rate:.3g} requests per second"
            yield Finding(
                instance, bool(reasons), f"{said}: {', '.join(reasons)}" if reasons else said, rate, labels(instance, rule.target)
            )

    def promql(self, rule: Rule) -> str | None:
        spec: RequestRate = rule.spec
        by = "destination_service, destination_service_namespace"
        rate = f"sum by ({by}) (rate(istio_requests_total{{{matchers(rule.target)}}}[{whole(spec.window)}s]))"
        old = f"sum by ({by}) (rate(istio_requests_total{{{matchers(rule.target)}}}[{whole(spec.window)}s] offset {whole(spec.compared_to)}s))"
        parts = []
        if spec.above is not None:
            parts.append(f"{rate} > {spec.above:g}")
        if spec.below is not None:
            parts.append(f"{rate} < {spec.below:g}")
        if spec.drop_percent is not None:
            parts.append(f"{rate} < {1 - spec.drop_percent / 100:g} * {old}")
        if spec.rise_percent is not None:
            parts.append(f"{rate} > {1 + spec.rise_percent / 100:g} * {old}")
        return " or ".join(parts)


CONDITION = RequestRateCondition()
