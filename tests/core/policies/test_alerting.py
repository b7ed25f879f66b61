"""The kinds of alerting at the door."""

import pytest

from meshconsole.core import policies
from meshconsole.core.resources.messages import Invalid


def refused(kind, spec):
    with pytest.raises(Invalid) as caught:
        policies.parse_object({"apiVersion": "meshconsole.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec})
    return [m.path for m in caught.value.messages]


@pytest.mark.parametrize("spec,path", [
    ({"condition": {}}, "spec.condition"),
    ({"condition": {"nack": {}, "proxyOutOfSync": {}}}, "spec.condition"),
    ({"condition": {"errorRate": {}}}, "spec.condition.errorRate"),
    ({"condition": {"errorRate": {"abovePercent": 101}}}, "spec.condition.errorRate.abovePercent"),
    ({"condition": {"errorRate": {"abovePercent": 5, "window": "1s"}}}, "spec.condition.errorRate.window"),
    ({"condition": {"requestRate": {}}}, "spec.condition.requestRate"),
    ({"condition": {"latency": {"percentile": "p42", "above": "1s"}}}, "spec.condition.latency.percentile"),
    ({"condition": {"nack": {}}, "target": {"service": "reviews"}}, "spec.target.service"),
    ({"condition": {"errorRate": {"abovePercent": 5}}, "target": {"service": "a", "workload": "b"}}, "spec.target"),
    ({"condition": {"errorRate": {"abovePercent": 5}}, "target": {"service": 'a"} or vector(1)'}}, "spec.target.service"),
    ({"condition": {"nack": {}}, "channels": ["not a name"]}, "spec.channels[0]"),
    ({"condition": {"nack": {}}, "runbook": "javascript:alert(1)"}, "spec.runbook"),
    ({"condition": {"nack": {}}, "for": "soon"}, "spec.for"),
    ({"condition": {"nack": {}}, "severity": "bad"}, "spec.severity"),
])  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_where_it_does_not(spec, path):
    assert path in refused("AlertRule", spec)


@pytest.mark.parametrize("spec,path", [
    ({"service": "a", "objective": 100}, "spec.objective"),
    ({"service": "a", "objective": 0}, "spec.objective"),
    ({"service": "", "objective": 99}, "spec.service"),
    ({"service": "a", "objective": 99, "window": "1m"}, "spec.window"),
    ({"service": "a", "objective": 99, "indicator": {"availability": {}, "latency": {"below": "1s"}}}, "spec.indicator"),
])  # fmt: skip
def test_an_objective_that_makes_no_sense_is_refused_where_it_does_not(spec, path):
    assert path in refused("ServiceLevelObjective", spec)


def test_a_rule_that_tells_nobody_is_taken_with_a_warning():
    _, messages = policies.parse_object(
        {"apiVersion": "meshconsole.io/v1", "kind": "AlertRule", "metadata": {"name": "a"}, "spec": {"condition": {"nack": {}}}}
    )
    assert [m.path for m in messages] == ["spec.channels"]


def test_what_is_written_comes_back_as_it_was_written():
    spec = {"for": "30s", "condition": {"errorRate": {"abovePercent": 5.0, "window": "1m"}}, "channels": ["oncall"]}
    policy, _ = policies.parse_object({"apiVersion": "meshconsole.io/v1", "kind": "AlertRule", "metadata": {"name": "a"}, "spec": spec})
    assert policies.dump(policy)["spec"] == spec
