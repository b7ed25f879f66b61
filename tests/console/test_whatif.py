"""A preview compiles the mesh as it would be, and says who would be sent what. Nothing is stored."""

import pytest
from django.utils import timezone

from meshconsole.configstore import signals, store
from meshconsole.configstore.store import Author
from meshconsole.console import whatif
from meshconsole.core import policies
from meshconsole.discovery import mesh, registry
from meshconsole.xds.models import ProxyRecord
from proxyagent import protocol

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http: [{timeout: %s, route: [{destination: {host: ratings}}]}]
"""
AUTHOR = Author("alice")


@pytest.fixture
def two_proxies(db):
    """`reviews` calls ratings; `ratings` calls nobody."""
    for i, name in enumerate(("ratings", "reviews")):
        registry.register(
            protocol.Workload(
                "default",
                name,
                address=f"10.0.0.{i + 1}",
                services=(name,),
                labels={"app": name},
                ports=(protocol.WorkloadPort(9080, "http"),),
            ),
            timezone.now(),
        )
        ProxyRecord.objects.create(
            id=f"default/{name}", namespace="default", name=name, connected=True, hosts=["ratings:9080"] if name == "reviews" else []
        )
    mesh.forget()
    yield
    mesh.forget()


def dry(text: str) -> list[store.ChangeView]:
    parsed, _ = policies.parse(text)
    return store.apply(parsed, author=AUTHOR, dry_run=True).changes


def test_only_the_caller_is_concerned_by_a_route(two_proxies):
    found = whatif.look(dry(RULE % "2s"), None)
    assert (found.connected, found.looked_at, found.concerned) == (2, 2, ("default/reviews",))
    (piece,) = found.pieces
    assert (piece.type, piece.operation, piece.proxies) == ("vhds", "update", ["default/reviews"])
    added = ["".join(t for t, _ in r.parts) for r in piece.diff.rows if r.kind == "add"]
    assert any('"timeout": "2s"' in line for line in added)


def test_looking_changes_nothing(two_proxies):
    before = mesh.current()
    whatif.look(dry(RULE % "2s"), None)
    assert mesh.current() is before
    assert store.latest() == 0


def test_a_second_look_starts_from_what_is_stored(two_proxies):
    parsed, _ = policies.parse(RULE % "2s")
    store.apply(parsed, author=AUTHOR)
    whatif.look(dry(RULE % "3s"), None)
    (piece,) = whatif.look(dry(RULE % "4s"), None).pieces
    gone = ["".join(text for text, _ in r.parts).strip(" ,") for r in piece.diff.rows if r.kind == "del"]
    assert '"timeout": "2s"' in gone


def test_a_deletion_gives_back_what_was_before(two_proxies):
    parsed, _ = policies.parse(RULE % "2s")
    key = parsed[0].key
    store.apply(parsed, author=AUTHOR)
    found = whatif.look(store.delete([key], author=AUTHOR, dry_run=True).changes, None)
    assert found.concerned == ("default/reviews",)


def test_proxies_of_other_namespaces_are_not_told_of(two_proxies):
    found = whatif.look(dry(RULE % "2s"), ["elsewhere"])
    assert (found.connected, found.concerned) == (0, ())


def test_when_the_time_is_up_it_says_how_far_it_came(two_proxies, monkeypatch):
    monkeypatch.setattr(whatif, "SECONDS", -1)
    found = whatif.look(dry(RULE % "2s"), None)
    assert (found.connected, found.looked_at, found.complete) == (2, 0, False)


def test_analysis_hears_of_each_workload_once(two_proxies):
    """Two receivers told of them: then a workload that left was taken out twice, and the next save was an error 500."""
    heard = [w.id for _, answer in signals.analysing.send(None) for w in answer]
    assert sorted(heard) == ["default/ratings", "default/reviews"]
