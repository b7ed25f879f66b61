"""Keys and the audit log over REST."""

import pytest
from django.db import connection

from meshconsole.accounts import appendonly
from meshconsole.accounts.models import AuditEntry

from ..accounts import people
from .conftest import Api


def test_a_join_token_is_bound_to_a_namespace_where_its_maker_is_admin(db):
    bob = Api(people.person("bob", default="admin"))
    made = bob.json("/api/v1/join-tokens", {"namespace": "default", "serviceAccount": "reviews", "ttl": "10m", "uses": 2})
    assert made.status_code == 201
    assert made.json()["token"].startswith("mjt_")
    assert bob.json("/api/v1/join-tokens", {"namespace": "payments"}).status_code == 403
    [item] = bob.get("/api/v1/join-tokens").json()["items"]
    assert (item["serviceAccount"], item["usesLeft"], item["createdBy"]) == ("reviews", 2, "bob")
    assert made.json()["token"] not in str(item)
    assert AuditEntry.objects.get().object == "JoinToken default/reviews"


def test_another_namespaces_join_token_is_neither_seen_nor_revoked(alice):
    made = alice.json("/api/v1/join-tokens", {"namespace": "payments"}).json()
    bob = Api(people.person("bob", default="admin"))
    assert bob.get("/api/v1/join-tokens").json()["items"] == []
    assert bob.delete(f"/api/v1/join-tokens/{made['id']}").status_code == 404
    assert alice.delete(f"/api/v1/join-tokens/{made['id']}").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"ttl": "never"},
        {"ttl": 60},
        {"ttl": "0s"},
        {"ttl": "9999d"},
        {"uses": 0},
        {"uses": True},
        {"uses": "1"},
        {"namespace": "a/b"},
        {"user": "x"},
    ],
)
def test_a_join_token_of_nonsense_is_refused(sent, alice):
    assert alice.json("/api/v1/join-tokens", sent).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"name": ""},
        {"name": 7},
        {"name": "x", "verbs": ["fly"]},
        {"name": "x", "kinds": "VirtualService"},
        {"name": "x", "ttl": "soon"},
    ],
)
def test_an_api_token_of_nonsense_is_refused(sent, alice):
    assert alice.json("/api/v1/tokens", sent).status_code == 400


def test_an_api_token_is_ones_own(alice, bob):
    made = bob.json("/api/v1/tokens", {"name": "mine"}).json()
    assert bob.json("/api/v1/tokens", {"name": "mine"}).status_code == 409
    assert "mine" not in [t["name"] for t in alice.get("/api/v1/tokens").json()["items"]]
    assert alice.delete(f"/api/v1/tokens/{made['id']}").status_code == 404
    assert bob.delete(f"/api/v1/tokens/{made['id']}").status_code == 200
    assert bob.delete(f"/api/v1/tokens/{made['id']}").status_code == 404


def test_a_tokens_scopes_hold_at_every_door(db, stored):
    narrow = Api(people.person("nina", every="admin"), namespaces=["default"], verbs=["get"])
    assert [i["metadata"]["name"] for i in narrow.get("/api/v1/resources").json()["items"]] == ["ratings", "reviews"]
    assert narrow.get("/apis/networking.istio.io/v1/namespaces/payments/virtualservices").status_code == 403
    assert narrow.delete("/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews").status_code == 403
    assert narrow.get("/api/v1/audit").status_code == 403


def test_the_audit_log_says_who_did_what_and_whether_it_is_whole(stored):
    said = stored.get("/api/v1/audit?verify=1").json()
    assert {(i["who"], i["action"]) for i in said["items"]} == {("alice", "create")}
    assert said["broken"] == []
    appendonly.unguard(connection)
    AuditEntry.objects.filter(number=2).update(who="nobody")
    assert stored.get("/api/v1/audit?verify=1").json()["broken"] == ["entry 2 was changed after it was written"]


def test_only_an_admin_of_the_whole_mesh_reads_the_audit_log(stored):
    assert Api(people.person("adam", default="admin")).get("/api/v1/audit").status_code == 403
    assert Api(people.person("eve", every="admin")).get("/api/v1/audit").status_code == 200


def test_certificates_are_listed_with_roots_and_bundle(victor):
    said = victor.get("/api/v1/certificates").json()
    assert said["items"] == []
    assert set(said) == {"items", "roots", "bundle"}
