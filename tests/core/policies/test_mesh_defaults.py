"""What the MeshConfig says for those that say nothing themselves."""

import json

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.mesh.model import MeshConfig as Mesh
from meshconsole.core.policies import Invalid, parse
from tests.core.compiler.mesh import bookinfo, snapshot


def config(spec: str) -> Mesh:
    text = f"apiVersion: meshconsole.io/v1\nkind: MeshConfig\nmetadata: {{name: default, namespace: istio-system}}\nspec: {spec}\n"
    return parse(text)[0][0].onto(Mesh())  # type: ignore[attr-defined]


def test_defaults_of_export_are_taken_over():
    mesh = config('{defaultServiceExportTo: ["."], defaultVirtualServiceExportTo: [a, b], defaultDestinationRuleExportTo: ["."]}')
    assert (mesh.service_export, mesh.virtual_service_export, mesh.destination_rule_export) == ((".",), ("a", "b"), (".",))
    assert config("{}").virtual_service_export == ("*",)


def test_faults_are_found_at_their_own_fields():
    try:
        config('{defaultVirtualServiceExportTo: ["~"], localityLbSetting: {distribute: [{from: a, to: {b: 10}}]}}')
    except Invalid as invalid:
        assert [m.path for m in invalid.messages] == [
            "spec.defaultVirtualServiceExportTo[0]",
            "spec.localityLbSetting.distribute[0].to",
        ]
    else:
        raise AssertionError("taken")


def test_networks_are_reached_through_their_gateways():
    mesh = config("{meshNetworks: {vms: {gateways: [{address: 10.0.0.1, port: 15443}]}, flat: {}}}")
    assert mesh.networks == (("vms", (("10.0.0.1", 15443),)),)
    for wrong, path in (
        ("{vms: {gateways: [{address: gw.example.com, port: 15443}]}}", "spec.meshNetworks.vms.gateways[0].address"),
        ("{vms: {gateways: [{address: 10.0.0.1, port: 0}]}}", "spec.meshNetworks.vms.gateways[0].port"),
        (
            "{vms: {gateways: [{registryServiceName: gw, port: 1, address: 10.0.0.1}]}}",
            "spec.meshNetworks.vms.gateways[0].registryServiceName",
        ),
        ("{vms: {endpoints: [{fromRegistry: a}]}}", "spec.meshNetworks.vms.endpoints[0].fromRegistry"),
        ("{vms: {endpoints: [{fromCidr: 10.0.0.0/8, fromRegistry: a}]}}", "spec.meshNetworks.vms.endpoints[0].fromCidr"),
    ):
        with pytest.raises(Invalid) as invalid:
            config(f"{{meshNetworks: {wrong}}}")
        assert [m.path for m in invalid.value.messages] == [path]


def test_hosts_that_nobody_knows_may_be_looked_up_when_they_are_called():
    assert config("{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}").allow_any_dynamic
    mesh = config("{outboundTrafficPolicy: {}}")
    assert (mesh.allow_any, mesh.allow_any_dynamic) == (False, False)


def test_what_holds_where_nobody_says_else_is_said_in_envoys_words():
    mesh = config(
        "{connectTimeout: 1500ms, dnsRefreshRate: 5m, tcpKeepalive: {probes: 3, time: 1m}, defaultHttpRetryPolicy: {attempts: 0}}"
    )
    assert (mesh.connect_timeout, mesh.dns_refresh_rate, mesh.retry_policy) == ("1.5s", "300s", "null")
    assert json.loads(mesh.tcp_keepalive) == {"keepalive_probes": 3, "keepalive_time": 60}
    assert json.loads(config("{defaultHttpRetryPolicy: {attempts: 5, retryOn: reset}}").retry_policy)["num_retries"] == 5


def test_the_meshs_words_are_in_every_cluster_and_route_that_says_nothing():
    said = {
        "connect_timeout": "1.5s",
        "retry_policy": '{"retry_on": "reset", "num_retries": 5}',
        "tcp_keepalive": '{"keepalive_probes": 3}',
    }
    client = bookinfo()[0]
    resources = Compiler().compile(snapshot([], None, Mesh(**said)), client, Demand(frozenset({"reviews:9080"})))
    cluster = wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local"].body)
    inbound = wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, "inbound|9080||"].body)
    assert cluster["connect_timeout"] == inbound["connect_timeout"] == "1.500s"
    assert cluster["upstream_connection_options"] == {"tcp_keepalive": {"keepalive_probes": 3}}
    host = wire.parse(XdsType.VHDS, resources.blobs[XdsType.VHDS, "outbound/reviews.default.svc.cluster.local:9080"].body)
    assert host["routes"][0]["route"]["retry_policy"] == {"retry_on": "reset", "num_retries": 5}
