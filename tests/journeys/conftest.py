"""One mesh for the journeys that only change policies, and a fresh one for those that break things."""

import pytest

from .live import LiveMesh


def pytest_collection_modifyitems(items):
    for item in items:
        if "journeys" in item.path.parts:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def echo_mesh(tmp_path_factory):
    """`client` calls the service `echo`, whose instances echo-v1, echo-v2 and echo-v3 say who they are."""
    mesh = LiveMesh(tmp_path_factory.mktemp("mesh")).start()
    try:
        mesh.client = mesh.workload("client", service="client")
        mesh.v1, mesh.v2, mesh.v3 = (
            mesh.workload(f"echo-{v}", service="echo", labels={"version": v}, account="echo") for v in ("v1", "v2", "v3")
        )
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture
def mesh(echo_mesh):
    """The shared mesh without policies, its applications in good health."""
    for instance in (echo_mesh.v1, echo_mesh.v2, echo_mesh.v3, echo_mesh.client):
        instance.control(status=200, delay=0, count=0)
    echo_mesh.warm(echo_mesh.client, "http://echo:27080/")
    yield echo_mesh
    echo_mesh.clear()


@pytest.fixture
def fresh_mesh(tmp_path):
    """A mesh of its own, for journeys that kill its parts."""
    made = LiveMesh(tmp_path).start()
    try:
        yield made
    finally:
        made.stop()
