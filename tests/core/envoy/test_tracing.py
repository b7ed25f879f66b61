"""Tracing is asked for where something is sampled, and is the same bytes for everybody."""

from dataclasses import replace

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import tracing
from meshconsole.core.envoy.reporting import Tracing
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.envoy.wire import parse
from meshconsole.core.mesh.model import MeshConfig, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot

ONE = Workload("default", "reviews-v1", address="127.0.1.2", services=("reviews",), ports=(WorkloadPort(9080, "http"),))


def managers(value):
    if isinstance(value, dict):
        if value.get("@type", "").endswith("HttpConnectionManager"):
            yield value
        for each in value.values():
            yield from managers(each)
    elif isinstance(value, list):
        for each in value:
            yield from managers(each)


def listeners(mesh: MeshConfig, workload: Workload = ONE):
    found = Compiler().compile(Snapshot(mesh, [], [workload], 1), workload, Demand())
    return {name: blob for (type_, name), blob in found.blobs.items() if type_ is XdsType.LDS}


def test_every_http_connection_manager_traces():
    found = [m for blob in listeners(MeshConfig(tracing_sampling=25.0)).values() for m in managers(parse(blob.type, blob.body))]
    assert len(found) >= 2
    for manager in found:
        assert manager["tracing"]["random_sampling"]["value"] == 25.0
        assert manager["tracing"]["provider"]["name"] == "envoy.tracers.opentelemetry"


def test_there_is_one_provider_for_all_so_that_envoy_has_one_tracer():
    found = [m for blob in listeners(MeshConfig(tracing_sampling=1.0)).values() for m in managers(parse(blob.type, blob.body))]
    assert len({str(m["tracing"]["provider"]) for m in found}) == 1


def test_nothing_sampled_is_no_tracing_at_all():
    assert tracing.outbound(Tracing(0)) == {}
    found = [m for blob in listeners(MeshConfig(tracing_sampling=0)).values() for m in managers(parse(blob.type, blob.body))]
    assert found and all("tracing" not in m for m in found)


def test_the_outbound_listener_is_shared_by_workloads_of_different_services():
    other = replace(ONE, name="details-v1", services=("details",), labels={"app": "details"})
    assert (
        listeners(MeshConfig(tracing_sampling=1.0))["outbound"].version
        == listeners(MeshConfig(tracing_sampling=1.0), other)["outbound"].version
    )
