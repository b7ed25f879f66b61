"""Which Sidecar holds for a client, and what it leaves of the mesh."""

from typing import Any

from meshconsole.core.mesh.scope import Scope
from meshconsole.core.policies.sidecar import Sidecar

ROOT = "istio-system"


def sidecar(*hosts: str, namespace: str = "default", labels: dict[str, str] | None = None, name: str = "s", **spec: Any) -> Sidecar:
    if hosts:
        spec["egress"] = [{"hosts": list(hosts)}]
    if labels:
        spec["workloadSelector"] = {"labels": labels}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return Sidecar.model_validate(data)


def narrowed(*sidecars: Sidecar, gateway: bool = False, allow_any: bool = True) -> Scope:
    scope = Scope("default", ROOT, {"app": "reviews"}, gateway=gateway, allow_any=allow_any)
    for each in sidecars:
        scope = each.narrow(scope)
    return scope


OWN = sidecar("./*", labels={"app": "reviews"}, name="own")
NAMESPACE = sidecar("default/*", "other/*", name="namespace")
MESH = sidecar("~/*", namespace=ROOT, name="mesh")


def test_the_workloads_own_beats_the_namespaces_and_that_the_meshs_in_any_order():
    assert narrowed(MESH).origin == f"Sidecar {ROOT}/mesh"
    assert narrowed(MESH, NAMESPACE).origin == narrowed(NAMESPACE, MESH).origin == "Sidecar default/namespace"
    assert narrowed(OWN, NAMESPACE, MESH).origin == narrowed(MESH, NAMESPACE, OWN).origin == "Sidecar default/own"


def test_among_equals_the_first_offered_wins():
    assert narrowed(NAMESPACE, sidecar("*/*", name="younger")).origin == "Sidecar default/namespace"


def test_a_selector_of_another_namespace_or_of_the_root_is_not_for_this_client():
    assert narrowed(sidecar("./*", namespace=ROOT, labels={"app": "reviews"})).rank == 0
    assert narrowed(sidecar("./*", namespace="other")).rank == 0
    assert narrowed(sidecar("./*", labels={"app": "ratings"})).rank == 0


def test_a_dot_is_the_clients_namespace_also_in_the_meshs_default():
    scope = narrowed(sidecar("./*", "istio-system/*", namespace=ROOT))
    assert scope.sees("default", "reviews.default.svc.cluster.local")
    assert scope.sees(ROOT, "ingress.istio-system.svc.cluster.local")
    assert not scope.sees("other", "guest.other.svc.cluster.local")


def test_what_is_named_is_delivered_before_it_is_asked_for():
    assert narrowed(NAMESPACE).eager


def test_everything_is_nothing_in_particular_and_stays_on_demand():
    scope = narrowed(sidecar("*/*", "~/*"))
    assert (scope.hosts, scope.eager, scope.rank) == (None, False, 2)


def test_a_tilde_is_nothing_at_all():
    scope = narrowed(MESH)
    assert scope.hosts == ()
    assert not scope.sees("default", "reviews.default.svc.cluster.local")


def test_a_wildcard_host_is_seen_below_its_domain_only():
    scope = narrowed(sidecar("*/*.example.com"))
    assert scope.sees("other", "api.example.com")
    assert not scope.sees("other", "api.example.org")


def test_an_empty_outbound_traffic_policy_means_registry_only():
    assert not narrowed(sidecar(outboundTrafficPolicy={})).allow_any


def test_without_an_outbound_traffic_policy_the_meshs_holds():
    assert narrowed(NAMESPACE, allow_any=True).allow_any
    assert not narrowed(NAMESPACE, allow_any=False).allow_any
    assert narrowed(sidecar(outboundTrafficPolicy={"mode": "ALLOW_ANY"}), allow_any=False).allow_any


def test_a_gateway_is_not_narrowed():
    assert narrowed(NAMESPACE, MESH, gateway=True).rank == 0


def test_a_short_host_is_warned_of_for_it_matches_nothing():
    assert ["write the name in full" in m.text for m in sidecar("./reviews").check()] == [True]
