"""Meshes for the compiler's tests, and small policies that stand in for real kinds."""

import dataclasses
from typing import Any, ClassVar

from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Phase, Policy


def workload(name: str, service: str = "", **fields: Any) -> Workload:
    service = service or name.partition("-")[0]
    port = fields.pop("port", 9080)
    ports = fields.pop("ports", (WorkloadPort(port, "http", Protocol.HTTP, "127.0.0.1", fields.pop("app_port", port)),))
    namespace = fields.pop("namespace", "default")
    labels = fields.pop("labels", {"app": service, "version": name.rpartition("-")[2]})
    return Workload(
        namespace=namespace,
        name=name,
        service_account=fields.pop("service_account", service),
        labels=labels,
        services=fields.pop("services", (service,)),
        ports=ports,
        **fields,
    )


def bookinfo() -> list[Workload]:
    names = ["productpage-v1", "details-v1", "reviews-v1", "reviews-v2", "reviews-v3", "ratings-v1"]
    return [workload(name, address=f"127.0.1.{10 + i}", outbound_address=f"127.0.1.{10 + i}") for i, name in enumerate(names)]


def snapshot(policies: list[Any] | None = None, workloads: list[Workload] | None = None, mesh: MeshConfig | None = None) -> Snapshot:
    return Snapshot(mesh or MeshConfig(), policies or [], bookinfo() if workloads is None else workloads, 1)


class Fake(Policy):
    """A kind of tests: `spec` is whatever the kind makes of it."""

    group: ClassVar[str] = "test.meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "fakes"

    @classmethod
    def make(cls, name: str, spec: Any = None, namespace: str = "default", created: str = "") -> Any:
        data = {
            "apiVersion": "test.meshconsole.io/v1",
            "kind": cls.__name__,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        if created:
            data["metadata"]["creationTimestamp"] = created
        return cls.model_validate(data)


class Answering(Fake):
    """`spec: {host, status}`: every request to the host is answered with the status; `label` restricts it to clients that bear it."""

    phase: ClassVar[Phase | None] = Phase.ROUTES

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None:
        return (self.spec["host"],)

    @classmethod
    def apply(cls, policies: Any, draft: Any, view: Any) -> None:
        from meshconsole.core.envoy.draft import HostDraft, Route
        from meshconsole.core.envoy.resource_set import Origin

        if not isinstance(draft, HostDraft):
            return
        for policy in policies:
            label = policy.spec.get("label")
            if label is None or view.labels.get(label[0]) == label[1]:
                origin = Origin(cls.__name__, policy.metadata.namespace, policy.metadata.name)
                draft.routes = [
                    Route(policy.metadata.name, {"prefix": "/"}, direct_response={"status": policy.spec["status"]}, origin=origin)
                ]
                draft.origins.append(origin)
                return


class Narrowing(Fake):
    """`spec: {hosts: [(namespace, pattern), …]}`: what all clients of its namespace see, and get unasked."""

    plural: ClassVar[str] = "narrowings"

    def narrow(self, scope: Any) -> Any:
        if scope.rank >= 2:
            return scope
        return dataclasses.replace(scope, rank=2, eager=True, hosts=tuple(tuple(pair) for pair in self.spec["hosts"]))
