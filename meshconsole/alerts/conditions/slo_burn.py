"""The error budget of a ServiceLevelObjective burns too fast, in a long and a short window at once. Rules of this are made by objectives.py."""

from collections.abc import Iterator

from meshconsole.core.policies.service_level_objective import ServiceLevelObjective
from meshconsole.core.resources.common import seconds
from meshconsole.slo import burn

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition, labels, matchers, name, span


class SloBurnCondition(Condition):
    name = "slo_burn"
    title = "Error budget"

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        objective: ServiceLevelObjective = rule.spec
        pairs = [b for b in readings.burns.get((rule.namespace, rule.name), ()) if b.pair.severity == rule.severity]
        if not pairs:
            return
        # One alert per severity, however many of its pairs burn: the fastest is told, as pairs stand in this order.
        worst = next((b for b in pairs if b.breached), pairs[0])
        said = (
            f"The error budget of {name(rule.target.service)} ({objective.spec.objective:g} %) burns {worst.long or 0.0:.3g} times too fast"
        )
        said += f" over {span(worst.pair.long)}, and {worst.short or 0.0:.3g} times over {span(worst.pair.short)}"
        found = {**labels(rule.target.service, rule.target), "slo": rule.name}
        yield Finding(rule.target.service, worst.breached, said, worst.long, found)

    def promql(self, rule: Rule) -> str | None:
        objective: ServiceLevelObjective = rule.spec
        if objective.spec.indicator.latency is not None:
            return None
        of, parts = matchers(rule.target), []
        for pair in burn.pairs(float(seconds(objective.spec.window))):
            if pair.severity != rule.severity:
                continue
            limit = pair.factor * burn.budget(objective.spec.objective)
            both = [
                f'sum(rate(istio_requests_total{{{of}, response_code=~"0|5.."}}[{w}s])) / sum(rate(istio_requests_total{{{of}}}[{w}s])) > {limit:g}'
                for w in (pair.long, pair.short)
            ]
            parts.append(f"({both[0]} and {both[1]})")
        return " or ".join(parts)


CONDITION = SloBurnCondition()
