"""
Row `compile`: n services × n policies compiled cold, and one change of one policy compiled warm, at 200, 1,000 and 2,000 services.

The mesh: n services of one workload each; n/2 VirtualServices (a weighted route of two subsets) and n/2 DestinationRules (those subsets).
Cold is a new process's first proxy: the snapshot's indexes and everything that a Sidecar `./*` delivers eagerly, so all n hosts with their
clusters and endpoints. Warm is: one VirtualService replaced, the next snapshot, and that proxy again; the sizes take turns. `fleet` is the
same change for 1,000 proxies that use ten services each, on demand.
"""

import gc
import statistics
import time
from typing import Any

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse_object

from ._results import save

SIZES = (200, 1000, 2000)
REPETITIONS = 50
NETWORKING = "networking.istio.io/v1"


def workloads(count: int) -> list[Workload]:
    return [
        Workload(
            namespace="default",
            name=f"service-{i}-v1",
            service_account=f"service-{i}",
            address=f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
            labels={"app": f"service-{i}", "version": "v1"},
            services=(f"service-{i}",),
            ports=(WorkloadPort(8080, "http", Protocol.HTTP),),
        )
        for i in range(count)
    ]


def policy(kind: str, name: str, spec: dict[str, Any]) -> Any:
    made, _ = parse_object({"apiVersion": NETWORKING, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
    return made


def virtual_service(i: int, weight: int = 90) -> Any:
    host = f"service-{i}"
    shares = [("v1", weight), ("v2", 100 - weight)]
    routes = [{"destination": {"host": host, "subset": subset}, "weight": share} for subset, share in shares]
    return policy("VirtualService", host, {"hosts": [host], "http": [{"route": routes, "timeout": "5s"}]})


def destination_rule(i: int) -> Any:
    subsets = [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")]
    traffic = {"connectionPool": {"http": {"http1MaxPendingRequests": 100}}, "outlierDetection": {"consecutive5xxErrors": 5}}
    return policy("DestinationRule", f"service-{i}", {"host": f"service-{i}", "subsets": subsets, "trafficPolicy": traffic})


class Mesh:
    """n services and n policies, and one proxy that gets all of it."""

    def __init__(self, count: int):
        self.config, self.people = MeshConfig(), workloads(count)
        self.policies = [make(i) for i in range(0, count, 2) for make in (virtual_service, destination_rule)]
        self.policies.append(policy("Sidecar", "everything", {"egress": [{"hosts": ["./*"]}]}))
        self.compiler, self.turn, self.count = Compiler(), 0, count
        began = time.perf_counter()
        self.snapshot = Snapshot(self.config, self.policies, self.people, 1)
        self.resources = self.compiler.compile(self.snapshot, self.people[0])
        self.cold = time.perf_counter() - began
        self.warm: list[float] = []

    def change(self) -> None:
        place = (self.turn * 14) % (self.count // 2 * 2)
        self.policies = list(self.policies)
        self.policies[place] = virtual_service(place, 1 + self.turn % 80)
        self.turn += 1
        began = time.perf_counter()
        self.snapshot = Snapshot.following(self.snapshot, self.config, self.policies, self.people, 1 + self.turn)
        following = self.compiler.compile(self.snapshot, self.people[0])
        self.warm.append((time.perf_counter() - began) * 1000)
        changed = [key for key, blob in following.blobs.items() if self.resources.blobs.get(key) is not blob]
        assert len(changed) == 1, changed
        self.resources = following


def fleet(count: int = 1000) -> dict[str, Any]:
    """One change for `count` proxies of one namespace, ten services each, on demand."""
    mesh, people = MeshConfig(), workloads(count)
    policies = [make(i) for i in range(0, count, 2) for make in (virtual_service, destination_rule)]
    demands = [Demand(frozenset(f"service-{(i * 10 + k) % count}:8080" for k in range(10))) for i in range(count)]
    compiler, snapshot = Compiler(), Snapshot(mesh, policies, people, 1)

    def everyone() -> float:
        began = time.perf_counter()
        for workload, demand in zip(people, demands, strict=True):
            compiler.compile(snapshot, workload, demand)
        return time.perf_counter() - began

    cold, warm = everyone(), []
    for turn in range(5):
        policies = list(policies)
        policies[0] = virtual_service(0, 60 + turn)
        began = time.perf_counter()
        snapshot = Snapshot.following(snapshot, mesh, policies, people, 2 + turn)
        everyone()
        warm.append((time.perf_counter() - began) * 1000)
    return {"proxies": count, "cold_s": round(cold, 3), "warm_ms": round(statistics.median(warm), 2)}


def run() -> dict[str, Any]:
    Mesh(20)  # imports of protobuf modules are a process's, not a mesh's
    meshes = {count: Mesh(count) for count in SIZES}
    gc.collect()
    gc.freeze()  # as the hub does after a large load: what lives long is not walked again
    for _ in range(REPETITIONS):  # interleaved, so that a busy machine is busy for all sizes
        for mesh in meshes.values():
            mesh.change()
    warm = {count: statistics.median(mesh.warm) for count, mesh in meshes.items()}
    ratios = [large / small for small, large in zip(meshes[200].warm, meshes[2000].warm, strict=True)]
    return {
        "row": "compile",
        "target": "cold <= 5 s, warm <= 5 ms at 1,000; warm at 2,000 <= 1.3 x warm at 200",
        "cold_s": {count: round(mesh.cold, 3) for count, mesh in meshes.items()},
        "warm_ms": {count: round(value, 3) for count, value in warm.items()},
        "ratio_2000_to_200": round(statistics.median(ratios), 3),
        "resources": {count: len(mesh.resources) for count, mesh in meshes.items()},
        "fleet": fleet(),
        "repetitions": {count: mesh.warm for count, mesh in meshes.items()},
    }


if __name__ == "__main__":
    save(run())
