"""The inbound side of a workload: who is let in on which port, by what protocol."""

from typing import Any, ClassVar

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.compiler.kinds import Kinds
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.draft import HttpFilter, InboundDraft, MtlsMode, NetworkFilter
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.mesh.model import MeshConfig, Protocol, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Phase
from tests.golden import bootstrap

from .mesh import Fake, bookinfo, snapshot, workload


class Securing(Fake):
    """`spec: {mode, rules?}`"""

    plural: ClassVar[str] = "securings"
    phase: ClassVar[Phase | None] = Phase.IDENTITY

    @classmethod
    def apply(cls, policies: Any, draft: Any, view: Any) -> None:
        if isinstance(draft, InboundDraft):
            for policy in policies:
                draft.mtls = MtlsMode[policy.spec["mode"]]
                if policy.spec.get("rules"):
                    allow = {
                        "rules": {"action": "ALLOW", "policies": {"any": {"permissions": [{"any": True}], "principals": [{"any": True}]}}}
                    }
                    http = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
                    draft.http_filters[HttpFilter.RBAC_ALLOW] = [
                        {"name": "envoy.filters.http.rbac", "typed_config": {"@type": http, **allow}}
                    ]
                    network = {"@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC", "stat_prefix": "tcp.", **allow}
                    draft.network_filters[NetworkFilter.RBAC_ALLOW] = [{"name": "envoy.filters.network.rbac", "typed_config": network}]


KINDS = Kinds([Securing])


def chains(mode: str, protocol: Protocol, **spec: Any) -> list[dict]:
    one = workload("a-v1", ports=(WorkloadPort(9080, "", protocol),))
    resources = Compiler(KINDS).compile(snapshot([Securing.make("s", {"mode": mode, **spec})], [one]), one)
    return wire.parse(XdsType.LDS, resources.blobs[XdsType.LDS, "inbound|9080"].body)["filter_chains"]


def names(found: list[dict]) -> list[tuple[str, str, bool]]:
    """(name, last filter, terminates TLS)"""
    return [(c["name"], c["filters"][-1]["name"].rpartition(".")[2], "transport_socket" in c) for c in found]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("STRICT", [("mtls", "http_connection_manager", True)]),
        ("PERMISSIVE", [("mtls", "http_connection_manager", True), ("plaintext", "http_connection_manager", False)]),
        ("DISABLE", [("plaintext", "http_connection_manager", False)]),
    ],
)
def test_the_mode_says_who_is_let_in(mode: str, expected: list):
    assert names(chains(mode, Protocol.HTTP)) == expected


def test_a_tcp_port_has_no_http():
    assert {last for _, last, _ in names(chains("PERMISSIVE", Protocol.TCP))} == {"tcp_proxy"}


def test_an_undeclared_port_is_sniffed():
    found = names(chains("PERMISSIVE", Protocol.UNKNOWN))
    assert [(name, last) for name, last, _ in found] == [
        ("mtls-http", "http_connection_manager"),
        ("mtls", "tcp_proxy"),
        ("plaintext-http", "http_connection_manager"),
        ("plaintext-tls", "tcp_proxy"),
        ("plaintext", "tcp_proxy"),
    ]


def test_the_applications_own_tls_passes_where_mesh_tls_is_not_a_must():
    for protocol in (Protocol.HTTPS, Protocol.TLS, Protocol.TCP):
        mtls, own, plain = chains("PERMISSIVE", protocol)
        assert mtls["filter_chain_match"] == {"transport_protocol": "tls", "application_protocols": ["istio"]}
        assert own["filter_chain_match"] == {"transport_protocol": "tls"} and "transport_socket" not in own
        assert plain["filter_chain_match"] == {"transport_protocol": "raw_buffer"}
        assert [name for name, _, _ in names(chains("STRICT", protocol))] == ["mtls"]


def test_authorization_is_checked_once_by_http_where_there_is_http():
    for chain in chains("PERMISSIVE", Protocol.HTTP, rules=True):
        (manager,) = chain["filters"]
        assert [f["name"] for f in manager["typed_config"]["http_filters"]] == ["envoy.filters.http.rbac", "envoy.filters.http.router"]
    for chain in chains("PERMISSIVE", Protocol.TCP, rules=True):
        assert [f["name"] for f in chain["filters"]] == ["envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy"]


def test_a_port_that_takes_no_mutual_tls_is_spoken_to_in_plaintext():
    compiler, workloads, demand = Compiler(KINDS), bookinfo(), Demand(frozenset({"reviews"}))
    first = Snapshot(MeshConfig(), [], workloads, 1)
    name = (XdsType.EDS, "outbound|9080||reviews.default.svc.cluster.local")
    assert b"tlsMode" in compiler.compile(first, workloads[0], demand).blobs[name].body
    second = Snapshot.following(first, MeshConfig(), [Securing.make("s", {"mode": "DISABLE"})], workloads, 2)
    assert b"tlsMode" not in compiler.compile(second, workloads[0], demand).blobs[name].body


@pytest.mark.envoy
def test_a_real_envoy_takes_every_mode_of_every_protocol(tmp_path):
    sets = []
    for mode in MtlsMode:
        for rules in (False, True):
            ports = tuple(WorkloadPort(9000 + i, "", protocol) for i, protocol in enumerate(Protocol))
            one = workload("a-v1", ports=ports)
            mesh = snapshot([Securing.make("s", {"mode": mode.name, "rules": rules})], [one])
            sets.append((f"{mode.name} {rules}", Compiler(KINDS).compile(mesh, one, Demand(frozenset({"a:9000", "a:9001", "a:9007"})))))
    assert not bootstrap.validate(bootstrap.static(sets, bootstrap.Authority().issue("default", "a")), tmp_path)
