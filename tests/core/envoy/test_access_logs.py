"""Access logs: one logger for all, a filter before it, and a real Envoy that takes both."""

import pytest

from meshconsole.core import policies
from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import access_logs
from meshconsole.core.envoy.reporting import AccessLog
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.envoy.wire import parse
from meshconsole.core.mesh.model import MeshConfig, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse as parse_policies
from tests.golden import bootstrap

ONE = Workload(
    "default", "reviews-v1", address="127.0.1.2", services=("reviews",), ports=(WorkloadPort(9080, "http"), WorkloadPort(9090, "tcp"))
)


def compiled(mesh: MeshConfig, text: str = ""):
    parsed, _ = policies.parse(text) if text else ([], None)
    return Compiler().compile(Snapshot(mesh, parsed, [ONE], 1), ONE, Demand())


def loggers(value):
    if isinstance(value, dict):
        if value.get("name") == "envoy.access_loggers.open_telemetry":
            yield value
        for each in value.values():
            yield from loggers(each)
    elif isinstance(value, list):
        for each in value:
            yield from loggers(each)


def test_nothing_is_told_where_it_is_off():
    assert not [found for blob in compiled(MeshConfig()) for found in loggers(parse(blob.type, blob.body))]


def test_every_listener_tells_and_every_logger_has_a_filter():
    found = [each for blob in compiled(MeshConfig(access_log=AccessLog())) for each in loggers(parse(blob.type, blob.body))]
    assert len(found) >= 3 and all(each["filter"] for each in found)


@pytest.mark.parametrize(
    ("wanted", "kinds"), [(AccessLog(0, 0), 2), (AccessLog(1000, 0), 3), (AccessLog(1000, 1), 4), (AccessLog(0, 200), 3)]
)
def test_errors_the_slow_and_a_sample_are_selected(wanted, kinds):
    (logger,) = access_logs.outbound_http(wanted)
    assert len(logger["filter"]["or_filter"]["filters"]) == kinds


def test_the_rule_that_sent_a_connection_is_what_its_filter_chain_came_from(tmp_path):
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: default}
spec: {hosts: [db], tcp: [{route: [{destination: {host: db}}]}]}
"""
    db = Workload("default", "db", address="127.0.1.3", services=("db",), ports=(WorkloadPort(3306, "mysql"),))
    mesh = MeshConfig(access_log=AccessLog(250, 0.5))
    resources = Compiler().compile(Snapshot(mesh, parse_policies(text)[0], [ONE, db], 1), ONE, Demand())
    listener = parse(XdsType.LDS, resources.blobs[XdsType.LDS, "127.0.0.1_3306"].body)
    (logger,) = loggers(listener)
    told = {each["key"]: each["value"]["string_value"] for each in logger["typed_config"]["attributes"]["values"]}
    assert "LISTENER_FILTER_CHAIN" in told["policy"] and "LISTENER_FILTER_CHAIN" in told["line"]
    assert listener["filter_chains"][0]["metadata"]["filter_metadata"]["meshconsole"] == {
        "origin": "VirtualService default/db",
        "line": "VirtualService default/db spec.tcp[0]",
    }
    static = bootstrap.static([("reviews", resources)], bootstrap.Authority().issue("default", "reviews"))
    assert bootstrap.validate(static, tmp_path) == ""


def test_envoy_takes_it(tmp_path):
    secrets = bootstrap.Authority().issue("default", "reviews")
    static = bootstrap.static([("reviews", compiled(MeshConfig(access_log=AccessLog(250, 0.5))))], secrets)
    assert bootstrap.validate(static, tmp_path) == ""


DRY_RUN = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: try, annotations: {istio.io/dry-run: "true"}}
spec: {action: DENY, rules: [{from: [{source: {notNamespaces: [default]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: watch}
spec: {action: AUDIT, rules: [{to: [{operation: {ports: ["9090"]}}]}]}
"""


def test_what_dry_runs_would_deny_and_audits_mark_is_told_of_requests_and_connections(tmp_path):
    found = compiled(MeshConfig(access_log=AccessLog(0, 0)), DRY_RUN)
    told = {
        str(each["filter"]) for blob in found for each in loggers(parse(blob.type, blob.body)) if "metadata_filter" in str(each["filter"])
    }
    assert {name for name in ("http.rbac", "network.rbac") if any(f"envoy.filters.{name}" in text for text in told)} == {
        "http.rbac",
        "network.rbac",
    }
    assert all("access_log_hint" in text and "istio_dry_run_deny_shadow_engine_result" in text for text in told)
    secrets = bootstrap.Authority().issue("default", "reviews")
    assert bootstrap.validate(bootstrap.static([("reviews", found)], secrets), tmp_path) == ""
