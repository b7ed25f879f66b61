"""Whatever the user's own Prometheus says: each series that the query gives is an alert, as in Prometheus' own rules."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.policies.alert_rule import PromQL

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition


class PromQLCondition(Condition):
    name = "promql"
    title = "PromQL"

    def query(self, spec: Any) -> str | None:
        return str(spec.query)

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: PromQL = rule.spec
        answer = readings.answers[spec.query]
        if isinstance(answer, str):
            # A rule that cannot be evaluated watches nothing: that is worth being told of itself.
            yield Finding("query", True, f"The query of {rule.namespace}/{rule.name} cannot be answered: {answer}"[:1000])
            return
        for series, value in answer:
            labels = {k: v for k, v in sorted(series.items()) if k != "__name__"}
            instance = ",".join(f"{k}={v}" for k, v in labels.items()) or "all"
            said = _filled(spec.summary, {**labels, "value": f"{value:.4g}"}) if spec.summary else f"{instance}: {value:.4g}"
            yield Finding(instance, True, said[:1000], value, _known(labels))

    def promql(self, rule: Rule) -> str | None:
        spec: PromQL = rule.spec
        return spec.query


def _filled(text: str, values: dict[str, str]) -> str:
    """Not str.format(): that reaches into objects."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def _known(labels: dict[str, str]) -> dict[str, str]:
    """Istio's labels say which service or workload it is about: the alert links there."""
    found = dict(labels)
    if name := labels.get("destination_service_name"):
        found.setdefault("service", name)
        found.setdefault("namespace", labels.get("destination_service_namespace", ""))
    elif name := labels.get("destination_workload"):
        found.setdefault("workload", name)
        found.setdefault("namespace", labels.get("destination_workload_namespace", ""))
    return {k: v for k, v in found.items() if v}


CONDITION = PromQLCondition()
