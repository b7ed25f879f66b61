"""What the MeshConfig says for those that say nothing themselves."""

import pytest

from meshconsole.core.mesh.model import MeshConfig as Mesh
from meshconsole.core.policies import Invalid, parse


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
        ("{vms: {endpoints: [{fromRegistry: a}]}}", "spec.meshNetworks.vms.endpoints"),
    ):
        with pytest.raises(Invalid) as invalid:
            config(f"{{meshNetworks: {wrong}}}")
        assert [m.path for m in invalid.value.messages] == [path]


def test_hosts_that_nobody_knows_may_be_looked_up_when_they_are_called():
    assert config("{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}").allow_any_dynamic
    mesh = config("{outboundTrafficPolicy: {}}")
    assert (mesh.allow_any, mesh.allow_any_dynamic) == (False, False)
