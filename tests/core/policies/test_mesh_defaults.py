"""What the MeshConfig says for those that say nothing themselves."""

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
