"""What the door lets in of every kind, put together from parts that golden cases show: compiled, to the same bytes in whatever order; and taken by Envoy."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import dump, parse_object
from meshconsole.core.policies import mesh_config as written_mesh
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Invalid
from tests.golden import bootstrap, case
from tests.golden.test_fields import COMPILED

from .recombined import fields, golden

POOL = golden()
KINDS = sorted(POOL.resources)
RESOURCE = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(POOL.resource(kind), st.sampled_from(["default", "default", "istio-system", "other"]))
)
MESH, _BOOKINFO, _CALLS = case.load_mesh(case.HERE / "mesh.yaml")
_TCP = [each for each in case.load_mesh(case.HERE / "baseline" / "tcp" / "mesh.yaml")[1] if each.kind is not ProxyKind.GATEWAY]
WORKLOADS = [
    *_BOOKINFO,
    *(
        replace(w, address=f"127.0.2.{n}", outbound_address=f"127.0.2.{n}")
        for n, w in enumerate(_TCP)
        if w.name not in {b.name for b in _BOOKINFO}
    ),
]
ASKED = Demand(frozenset({*(call for calls in _CALLS.values() for call in calls), "api.example.com", "x.wild.example.com", "nobody:81"}))
SEEN = [
    each for each in WORKLOADS if each.name in ("ingressgateway", "productpage-v1", "details-v1", "ratings-v1", "guest", "client", "db-v1")
]
_REFUSED = "a workload or its proxy listens there already"
"""Of a Sidecar's egress listener, which only the workload that it falls on knows; the user is told."""


def _ours(sets: list[ResourceSet]) -> list[str]:
    """Failures that are the compiler's own: not a listener that is taken, nor what an EnvoyFilter made of a message."""
    told = [failure for resources in sets for failure in resources.failures]
    users = [each for each in told if _REFUSED in str(each) or any(origin.kind == "EnvoyFilter" for origin in each.policies)]
    return [str(each) for each in told if each not in users]


def accepted(written: list[tuple[Any, str]]) -> list[Policy]:
    found: list[Policy] = []
    for n, (resource, namespace) in enumerate(written):
        one = resource["kind"] == "MeshConfig"
        metadata = {"name": written_mesh.NAME if one else f"p{n}", "namespace": "istio-system" if one else namespace}
        metadata["creationTimestamp"] = f"2026-01-{n % 3 + 1:02}T00:00:00Z"
        try:
            policy = parse_object({**resource, "metadata": metadata})[0]
        except Invalid:
            continue
        if not (one and any(each.kind == "MeshConfig" for each in found)):
            found.append(policy)
    return found


def mesh_of(policies: list[Policy]) -> MeshConfig:
    said = next((each for each in policies if isinstance(each, written_mesh.MeshConfig)), None)
    return said.onto(MESH) if said else MESH


def compiled(policies: list[Policy], proxies: list[Workload]) -> list[ResourceSet]:
    snapshot, compiler = Snapshot(mesh_of(policies), policies, WORKLOADS, 1), Compiler()
    return [compiler.compile(snapshot, each, ASKED) for each in proxies]


def bodies(sets: list[ResourceSet]) -> list[dict[Any, bytes]]:
    return [{key: blob.body for key, blob in resources.blobs.items()} for resources in sets]


def test_every_kind_that_writes_configuration_is_tried():
    assert set(KINDS) == set(COMPILED)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RESOURCE, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_the_door_lets_in_compiles_the_same_in_any_order(written: list[tuple[Any, str]], shuffle: random.Random):
    policies = accepted(written)
    first = compiled(policies, SEEN)
    assert _ours(first) == []
    shuffle.shuffle(policies)
    assert bodies(compiled(policies, SEEN)) == bodies(first)
    for policy in policies:
        assert parse_object(dump(policy))[0] == policy


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RESOURCE, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_what_was_applied_one_after_the_other_is_what_is_loaded_at_once(written: list[tuple[Any, str]], chance: random.Random):
    """Whatever was deleted and applied again on the way."""
    policies, compiler, proxies = accepted(written), Compiler(), SEEN[:4]
    mesh = Snapshot(MESH, [], WORKLOADS, 0)
    found = [compiler.compile(mesh, each, ASKED) for each in proxies]
    steps: list[list[Policy]] = []
    applied: list[Policy] = []
    for policy in chance.sample(policies, len(policies)):
        applied = [*applied, policy]
        steps.append(applied)
        if len(applied) > 1 and chance.random() < 0.4:
            back = chance.choice(applied)
            applied = [each for each in applied if each is not back]
            steps += [applied, applied := [*applied, back]]
    for n, step in enumerate(steps, 1):
        mesh = Snapshot.following(mesh, mesh_of(step), step, WORKLOADS, n)
        found = [compiler.compile(mesh, each, ASKED) for each in proxies]
    whole = compiled(policies, proxies)
    # What could not be compiled stays as it was, where it was anything.
    assert any(each.failures for each in whole) or bodies(found) == bodies(whole)


def _samples(kind: str, count: int) -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(POOL.resource(kind))
    def collect(resource: Any) -> None:
        found.append((resource, "default"))

    collect()
    return found[:count]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_tried_of_a_kind_is_various_and_often_let_in(kind: str):
    found = _samples(kind, 40)
    taken = [resource for resource, _ in found if accepted([(resource, "default")])]
    assert len(taken) >= 12
    assert len({str(resource.get("spec", resource)) for resource in taken}) >= 8
    assert len({field for resource in taken for field in fields(resource)}) >= 4


@pytest.mark.envoy
def test_a_real_envoy_takes_whatever_the_door_lets_in(tmp_path: Path):
    tried = [_samples(kind, 5) for kind in KINDS]
    groups = [accepted(list(group)) for group in zip(*tried, strict=True)]
    sets = [(f"{n}-{m}", resources) for n, group in enumerate(groups) for m, resources in enumerate(compiled(group, SEEN[:4]))]
    assert bootstrap.validate(bootstrap.static(sets, bootstrap.Authority().issue("default", "a")), tmp_path) == ""
