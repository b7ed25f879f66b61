"""Who sends plaintext, and whom STRICT would cut off."""

import time

import msgspec
import pytest

from meshconsole.accounts.author import Author
from meshconsole.configstore import store
from meshconsole.core import policies
from meshconsole.topology import strictness
from meshconsole.topology.plaintext import inbound
from telemetry.edges import Peer
from tests.accounts import people

from .bookinfo import edge
from .conftest import Mesh

NOBODY = Peer("unknown", "unknown", "unknown", "unknown", "unknown", "unknown")


def strict(namespace="default", mode="STRICT", **spec):
    said = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "p", "namespace": namespace}}
    return policies.parse_object({**said, "spec": {"mtls": {"mode": mode}, **spec}})[0]


def test_plaintext_is_told_by_who_gets_it_and_who_sends_it():
    found = inbound([
        edge("productpage-v1", "reviews-v1", 100),
        msgspec.structs.replace(edge("ratings-v1", "reviews-v1", 30, mtls=0), source=NOBODY),
        edge("ratings-v1", "reviews-v1", 20, mtls=15),
    ])  # fmt: skip
    got = found["default", "reviews-v1"]
    assert (got.secured, got.plaintext, got.callers) == (150, 35, (("unknown", 30), ("default/ratings-v1", 5)))
    assert got.share == pytest.approx(35 / 150)


@pytest.mark.django_db
def test_strict_is_warned_of_by_the_callers_that_it_would_cut_off(bookinfo: Mesh):
    bookinfo.calls("productpage-v1", "reviews-v1", 40, reporter="destination")
    bookinfo.calls("productpage-v1", "reviews-v1", 10, reporter="destination", connection_security_policy="none")
    [said] = strictness.warnings([strict(selector={"matchLabels": {"app": "reviews", "version": "v1"}})])
    assert (
        said.code == "MSH0201" and "10 of 50 requests that default/reviews-v1" in said.text and "default/productpage-v1 (10)" in said.text
    )
    assert strictness.warnings([strict(selector={"matchLabels": {"app": "ratings"}})]) == []
    assert strictness.warnings([strict(mode="PERMISSIVE")]) == []
    store.apply([strict()], author=Author("alice"))
    assert strictness.warnings([strict()]) == []  # it is so already


@pytest.mark.django_db
def test_each_workload_says_what_it_demands_and_who_says_so(bookinfo: Mesh):
    bookinfo.calls("productpage-v1", "reviews-v1", 40, reporter="destination")
    bookinfo.calls("productpage-v1", "details-v1", 10, reporter="destination", connection_security_policy="none")
    store.apply([strict(selector={"matchLabels": {"app": "ratings"}})], author=Author("alice"))
    found = {d.name: d for d in strictness.demands(time.time() - 60, time.time() + 10)}
    assert (found["reviews-v1"].state, found["details-v1"].state, found["ratings-v1"].state, found["reviews-v2"].state) == (
        "ready", "plaintext", "strict", "quiet",
    )  # fmt: skip
    assert str(found["ratings-v1"].by) == "PeerAuthentication default/p" and found["reviews-v1"].by is None
    assert strictness.demands(0, 1, {"elsewhere"}) == []


@pytest.mark.django_db
def test_the_page_and_the_door_say_it(bookinfo: Mesh, client):
    bookinfo.calls("productpage-v1", "details-v1", 10, reporter="destination", connection_security_policy="none")
    client.force_login(people.alice())
    page = client.get("/mtls/").content.decode()
    assert "Takes plaintext" in page and "default/productpage-v1" in page
    preview = client.post("/policies/preview/", {"yaml": policies.to_yaml(policies.dump(strict()))}).content.decode()
    assert "STRICT would refuse 10 of 10 requests that default/details-v1" in preview
