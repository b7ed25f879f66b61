import datetime

import pytest

from meshconsole.accounts.models import AuditEntry
from meshconsole.configstore.models import rfc3339
from meshconsole.core.policies.workload_group import WorkloadGroup
from meshconsole.discovery import groups, registry
from meshconsole.discovery.platforms import agents
from meshconsole.discovery.refusals import Refused
from proxyagent.protocol import ExecProbe, GrpcProbe, HttpProbe, Probe, TcpProbe, Workload, WorkloadPort

from .test_registry import NOW


def group(**spec) -> WorkloadGroup:
    metadata = {"name": "vm", "namespace": "default"}
    return WorkloadGroup.model_validate(
        {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": {"template": {}} | spec}
    )


def said(**fields) -> Workload:
    return Workload("default", "vm-10.0.0.1", **({"service_account": "", "weight": 0, "address": "10.0.0.1"} | fields), group="vm")


def test_an_empty_template_gives_istios_defaults():
    member = groups.member(said(), group())
    assert (member.service_account, member.weight, member.labels, member.ports) == ("default", 1, {}, ())


def test_the_templates_labels_win_over_the_metadatas_and_these_over_the_agents():
    spec = group(metadata={"labels": {"a": "metadata", "b": "metadata"}}, template={"labels": {"a": "template"}})
    assert groups.member(said(labels={"a": "agent", "b": "agent", "c": "agent"}), spec).labels == {
        "a": "template",
        "b": "metadata",
        "c": "agent",
    }


def test_the_agent_says_where_the_application_behind_a_port_of_the_group_listens():
    own = said(ports=(WorkloadPort(9080, "mine", "127.0.0.1", 8080), WorkloadPort(9999, "tcp-own")))
    member = groups.member(own, group(template={"ports": {"http": 9080}}))
    assert member.ports == (WorkloadPort(9080, "http", "127.0.0.1", 8080), WorkloadPort(9999, "tcp-own"))


def test_a_port_that_the_proxy_and_the_application_would_both_listen_on_is_refused():
    with pytest.raises(Refused, match=r"--port 9080=ADDRESS:PORT"):
        groups.member(said(address="127.0.0.1"), group(template={"ports": {"http": 9080}}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"httpGet": {"port": 80}}, Probe(HttpProbe(80), timeout=1, period=10, successes=1, failures=1)),
        (
            {"httpGet": {"port": 80, "scheme": "HTTPS", "host": "h", "path": "/x", "httpHeaders": [{"name": "A", "value": "b"}]}},
            Probe(HttpProbe(80, "/x", "h", True, (("A", "b"),))),
        ),
        ({"tcpSocket": {"port": 5432}, "failureThreshold": 3}, Probe(TcpProbe(5432), failures=3)),
        ({"grpc": {"port": 90, "service": "s"}, "initialDelaySeconds": 5}, Probe(GrpcProbe(90, service="s"), initial_delay=5)),
        (
            {"exec": {"command": ["true", "x"]}, "successThreshold": 2, "timeoutSeconds": 3},
            Probe(ExecProbe(("true", "x")), timeout=3, successes=2),
        ),
    ],
)
def test_a_probe_has_istios_defaults(written, expected):
    assert groups.probe(group(probe=written)) == expected


@pytest.mark.django_db(transaction=True)
def test_a_member_that_vanished_is_kept_for_ten_seconds_and_others_for_their_grace():
    agents.hello(groups.member(said(), group()), NOW, said=said())
    agents.hello(Workload("default", "own"), NOW)
    registry.lose([("default", "vm-10.0.0.1"), ("default", "own")], NOW)
    assert registry.expire(NOW + datetime.timedelta(seconds=9), 600) == []
    assert registry.expire(NOW + datetime.timedelta(seconds=11), 600) == [("default", "vm-10.0.0.1")]
    assert [w.name for w in registry.workloads()] == ["own"]


@pytest.mark.django_db(transaction=True)
def test_a_member_that_is_taken_out_is_in_the_audit_log_once_and_others_are_not():
    agents.hello(groups.member(said(), group()), NOW, said=said())
    agents.hello(Workload("default", "own"), NOW)
    registry.lose([("default", "vm-10.0.0.1"), ("default", "own")], NOW)
    for seconds in (11, 12, 601):
        registry.expire(NOW + datetime.timedelta(seconds=seconds), 600)
    (entry,) = AuditEntry.objects.filter(action="expire")
    assert (entry.who, entry.object) == ("console", "WorkloadEntry default/vm-10.0.0.1 (WorkloadGroup default/vm)")
    assert rfc3339(NOW) in entry.diff


@pytest.mark.django_db(transaction=True)
def test_a_member_with_a_probe_waits_for_it_only_once():
    spec = groups.member(said(), group())
    agents.hello(spec, NOW, said=said(), probed=True)
    assert registry.health(("default", "vm-10.0.0.1")) == (False, "not probed yet")
    registry.set_health(("default", "vm-10.0.0.1"), True, "", NOW)
    agents.hello(spec, NOW, said=said(), probed=True)
    assert registry.health(("default", "vm-10.0.0.1")) == (True, "")
