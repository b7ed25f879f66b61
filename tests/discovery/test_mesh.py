import pytest

from meshconsole.accounts.author import Author
from meshconsole.configstore import store
from meshconsole.core import policies
from meshconsole.discovery import mesh
from meshconsole.discovery.platforms import agents

from .test_registry import NOW, spec

pytestmark = pytest.mark.django_db(transaction=True)
ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}], timeout: %s}]}
"""


@pytest.fixture(autouse=True)
def forgotten():
    mesh.forget()
    yield
    mesh.forget()


def apply(timeout: str) -> None:
    store.apply(policies.parse(ROUTES % timeout)[0], author=Author("test"))


def test_it_is_the_same_snapshot_while_nothing_changes(django_assert_num_queries):
    agents.hello(spec(), NOW)
    first = mesh.current()
    with django_assert_num_queries(2):
        assert mesh.current() is first


def test_it_follows_workloads_and_resources_and_says_what_changed():
    agents.hello(spec("a"), NOW)
    agents.hello(spec("b", services=("other",)), NOW)
    apply("1s")
    first = mesh.current()
    apply("2s")
    second, stamp = mesh.stamped()
    assert second.revision == 2 and stamp == mesh.stamp() and second.dirty is not None
    assert ("service", "reviews.default.svc.cluster.local") not in second.dirty
    agents.hello(spec("b", services=("other",), weight=3), NOW)
    third = mesh.current()
    host = "other.default.svc.cluster.local"
    assert third is not second and third.dirty is not None and ("service", host) in third.dirty
    assert third.ask(("service", "reviews.default.svc.cluster.local")) is first.ask(("service", "reviews.default.svc.cluster.local"))
