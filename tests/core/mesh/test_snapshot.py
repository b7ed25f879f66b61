"""The next snapshot shares with the last one what did not change, and says what did."""

from dataclasses import replace
from typing import Any, ClassVar

from meshconsole.core.mesh.model import Location, MeshConfig, Port, Protocol, Resolution, Service, WorkloadPort
from meshconsole.core.mesh.services import declared_protocol, default_port, port_at, protocol_of
from meshconsole.core.mesh.snapshot import Snapshot
from tests.core.compiler.mesh import Answering, Fake, bookinfo, workload

MESH = MeshConfig()
REVIEWS = "reviews.default.svc.cluster.local"


class Declaring(Fake):
    """`spec: {host, resolution?, export?}`: an external service with port 80."""

    plural: ClassVar[str] = "declarings"

    def services(self, mesh: MeshConfig) -> Any:
        yield Service(
            host=self.spec["host"],
            namespace=self.metadata.namespace,
            name=self.spec["host"],
            ports=(Port(self.spec.get("port", 80), "http", Protocol.HTTP),),
            resolution=Resolution.DNS,
            location=Location.MESH_EXTERNAL,
            created=self.metadata.creation_timestamp or "",
        )


def follow(last: Snapshot, policies: list[Any] | None = None, workloads: list[Any] | None = None) -> Snapshot:
    return Snapshot.following(
        last, MESH, list(last.policies) if policies is None else policies, list(last.workloads) if workloads is None else workloads, 2
    )


def test_workloads_of_one_name_are_one_service_with_an_endpoint_each():
    (service,) = Snapshot(MESH, [], bookinfo(), 1).ask(("service", REVIEWS))
    assert (service.name, service.namespace) == ("reviews", "default")
    assert [e.workload for e in service.endpoints] == ["reviews-v1", "reviews-v2", "reviews-v3"]
    assert all(e.mtls for e in service.endpoints)
    assert [p.number for p in service.ports] == [9080]


def test_a_changed_workload_dirties_its_service_and_no_other():
    first = Snapshot(MESH, [], bookinfo(), 1)
    workloads = list(first.workloads)
    workloads[2] = replace(workloads[2], healthy=False)
    second = follow(first, workloads=workloads)
    assert second.dirty == {("workload", "default", "reviews-v1"), ("service", REVIEWS)}
    assert second.ask(("service", "ratings.default.svc.cluster.local")) is first.ask(("service", "ratings.default.svc.cluster.local"))
    assert second.ask(("hosts",)) == first.ask(("hosts",))


def test_nothing_changed_dirties_nothing():
    first = Snapshot(MESH, [Answering.make("a", {"host": REVIEWS})], bookinfo(), 1)
    second = follow(first)
    assert second.dirty == frozenset()
    assert second.ask(("policies", Answering, None)) is first.ask(("policies", Answering, None))


def test_a_new_policy_dirties_the_host_that_it_concerns():
    first = Snapshot(MESH, [], bookinfo(), 1)
    second = follow(first, [Answering.make("a", {"host": REVIEWS})])
    assert second.dirty is not None
    assert ("concerning", Answering, REVIEWS) in second.dirty
    assert not any(q[:1] == ("service",) for q in second.dirty)


def test_a_wildcard_policy_cannot_be_said_by_questions():
    first = Snapshot(MESH, [], bookinfo(), 1)
    assert first.ask(("concerning", Answering, REVIEWS)) == ()
    second = follow(first, [Answering.make("a", {"host": "*.default.svc.cluster.local"})])
    assert second.dirty is None
    assert second.ask(("concerning", Answering, REVIEWS)) == second.policies


def test_policies_stay_in_their_order_of_age_through_changes():
    made = {n: Answering.make(n, {"host": REVIEWS}, created=f"2026-01-0{d}T00:00:00Z") for n, d in (("a", 3), ("b", 1), ("c", 2))}
    latest = Snapshot(MESH, [made["a"]], bookinfo(), 1)
    for names in ("ab", "abc", "ac", "abc", "b", "cb"):
        latest = follow(latest, [made[n] for n in names])
        expected = sorted(names, key=lambda n: made[n].age)
        assert [p.metadata.name for p in latest.ask(("concerning", Answering, REVIEWS))] == expected
        assert [p.metadata.name for p in latest.ask(("policies", Answering, "default"))] == expected
        assert latest.ask(("policies", Answering, "other")) == ()


def test_another_mesh_configuration_starts_anew():
    first = Snapshot(MESH, [], bookinfo(), 1)
    assert Snapshot.following(first, replace(MESH, allow_any=False), [], list(first.workloads), 2).parent is None


def test_a_declared_service_comes_and_goes_with_its_policy():
    first = Snapshot(MESH, [], bookinfo(), 1)
    second = follow(first, [Declaring.make("ext", {"host": "api.example.com"})])
    assert [s.host for s in second.ask(("service", "api.example.com"))] == ["api.example.com"]
    assert ("service", "api.example.com") in (second.dirty or ())
    assert follow(second, []).ask(("service", "api.example.com")) == ()


def test_declared_services_of_one_host_and_namespace_are_merged():
    made = [Declaring.make("one", {"host": "api.example.com"}), Declaring.make("two", {"host": "api.example.com", "port": 8080})]
    (service,) = Snapshot(MESH, made, [], 1).ask(("service", "api.example.com"))
    assert [p.number for p in service.ports] == [80, 8080]


def test_wildcard_services_are_found_the_longest_pattern_first():
    made = [Declaring.make("one", {"host": "*.example.com"}), Declaring.make("two", {"host": "*.a.example.com"})]
    found = Snapshot(MESH, made, [], 1).ask(("wildcards", "x.a.example.com"))
    assert [s.host for s in found] == ["*.a.example.com", "*.example.com"]


def test_a_port_is_dialled_where_the_endpoint_serves_it():
    (service,) = Snapshot(MESH, [], [workload("a-v1", port=8080)], 1).ask(("service", "a.default.svc.cluster.local"))
    assert port_at(service.endpoints[0], service.ports[0]) == 8080
    assert port_at(service.endpoints[0], Port(9999, "admin")) is None
    assert port_at(replace(service.endpoints[0], ports=()), Port(80, "http", target_port=8080)) == 8080
    assert port_at(replace(service.endpoints[0], ports=(("http", 7),)), Port(80, "http")) == 7


def test_a_port_name_declares_its_protocol():
    assert declared_protocol("http-web") is Protocol.HTTP
    assert declared_protocol("grpc-web-x") is Protocol.GRPC_WEB
    assert declared_protocol("http2") is Protocol.HTTP2
    assert declared_protocol("redis") is Protocol.TCP
    assert declared_protocol("whatever") is Protocol.UNKNOWN
    assert declared_protocol("", 3306) is Protocol.TCP


def test_an_app_protocol_is_heard_instead_of_the_name():
    """Istio: even one that nobody knows; the port is sniffed then."""
    assert protocol_of(WorkloadPort(80, "tcp-db", app_protocol="kubernetes.io/h2c")) is Protocol.HTTP2
    assert protocol_of(WorkloadPort(80, "http", app_protocol="redis")) is Protocol.TCP
    assert protocol_of(WorkloadPort(80, "http", app_protocol="smoke")) is Protocol.UNKNOWN
    assert protocol_of(WorkloadPort(3306, "http", app_protocol="smoke")) is Protocol.TCP


def test_a_request_without_a_port_means_80_or_the_first_http_port():
    service = Service(
        "a", "n", "a", (Port(3306, "mysql", Protocol.TCP), Port(8080, "http", Protocol.HTTP), Port(80, "http", Protocol.HTTP))
    )
    assert default_port(service) == service.ports[2]
    assert default_port(replace(service, ports=service.ports[:2])) == service.ports[1]
    assert default_port(replace(service, ports=service.ports[:1])) is None
