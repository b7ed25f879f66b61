"""Who wins: mesh, namespace, workload, port; the oldest of each."""

from typing import Any

import pytest

from meshconsole.core.envoy.draft import InboundDraft, MtlsMode
from meshconsole.core.mesh.model import MeshConfig, Workload, WorkloadPort
from meshconsole.core.policies.peer_authentication import PeerAuthentication


class View:
    mesh = MeshConfig()
    namespace = "default"


def policy(
    mode: str = "UNSET", *, namespace: str = "default", labels: dict[str, str] | None = None, name: str = "p", **more: Any
) -> PeerAuthentication:
    spec: dict[str, Any] = {"mtls": {"mode": mode}, **({"portLevelMtls": more["ports"]} if "ports" in more else {})}
    if labels:
        spec["selector"] = {"matchLabels": labels}
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": more.get("created", "2026-01-01T00:00:00Z")}
    return PeerAuthentication.model_validate(
        {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": metadata, "spec": spec}
    )


def mode(*policies: PeerAuthentication, port: int = 9080) -> MtlsMode:
    draft = InboundDraft(Workload("default", "reviews-v1", labels={"app": "reviews"}), WorkloadPort(port))
    PeerAuthentication.apply(sorted(policies, key=lambda p: p.age), draft, View())  # type: ignore[arg-type]
    return draft.mtls


REVIEWS = {"app": "reviews"}
MESH = policy("STRICT", namespace="istio-system")


def test_without_a_policy_both_are_taken():
    assert mode() is MtlsMode.PERMISSIVE


def test_the_root_namespace_speaks_for_the_mesh():
    assert mode(MESH) is MtlsMode.STRICT


def test_a_namespace_beats_the_mesh_and_a_workload_beats_the_namespace():
    namespace, workload = policy("PERMISSIVE"), policy("DISABLE", labels=REVIEWS)
    assert mode(MESH, namespace) is MtlsMode.PERMISSIVE
    assert mode(MESH, namespace, workload) is MtlsMode.DISABLE


def test_unset_inherits_from_the_level_above():
    assert mode(MESH, policy("UNSET"), policy("UNSET", labels=REVIEWS)) is MtlsMode.STRICT


def test_the_oldest_of_a_level_wins_even_when_it_is_unset():
    old = policy("UNSET", name="z", created="2026-01-01T00:00:00Z")
    young = policy("DISABLE", name="a", created="2026-02-01T00:00:00Z")
    assert mode(MESH, old, young) is MtlsMode.STRICT


def test_a_port_of_the_workload_has_its_own_mode():
    ports = policy("DISABLE", labels=REVIEWS, ports={9080: {"mode": "STRICT"}, "9081": {"mode": "UNSET"}})
    assert mode(ports, port=9080) is MtlsMode.STRICT
    assert mode(ports, port=9081) is MtlsMode.DISABLE
    assert mode(ports, port=9082) is MtlsMode.DISABLE


def test_a_selector_in_the_root_namespace_counts_nowhere():
    assert mode(policy("STRICT", namespace="istio-system", labels=REVIEWS)) is MtlsMode.PERMISSIVE


def test_other_namespaces_and_other_workloads_are_left_alone():
    assert mode(policy("STRICT", namespace="other"), policy("STRICT", labels={"app": "ratings"})) is MtlsMode.PERMISSIVE


@pytest.mark.parametrize("ports", [{"0": {}}, {"65536": {}}, {"http": {}}])
def test_a_port_is_a_number_that_exists(ports: dict[str, Any]):
    assert "port must be between 1-65535" in [m.text for m in policy(labels=REVIEWS, ports=ports).check()]
