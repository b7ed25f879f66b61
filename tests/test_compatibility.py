"""The tool that holds Istio's definitions against ours."""

from tests.compatibility import kinds, page, unknown

CRDS = """
spec:
  group: networking.istio.io
  names: {kind: Sidecar}
  versions:
  - name: v1
    storage: true
    schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              workloadSelector: {properties: {labels: {additionalProperties: {type: string}}}}
              egress: {type: array, items: {properties: {hosts: {type: array}, captureMode: {type: string}, madeUp: {type: string}}}}
---
spec:
  group: extensions.istio.io
  names: {kind: TrafficExtension}
  versions: [{name: v1, schema: {openAPIV3Schema: {properties: {}}}}]
"""


def test_each_field_is_supported_or_refused_with_the_doors_reason():
    found = list(kinds(CRDS))
    sidecar, extension = found
    supported = [field.path for field in sidecar.fields or () if field.refused is None]
    assert "workloadSelector.labels" in supported and "egress[].hosts" in supported
    assert extension.fields is None
    assert unknown(found) == ["Sidecar egress[].madeUp"]
    text = page(found)
    assert "| TrafficExtension (`extensions.istio.io`) | the kind is refused: not supported yet" in text
    assert "| `egress[].madeUp` | not supported |" in text
