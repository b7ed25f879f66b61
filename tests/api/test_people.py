"""People and the audit log over REST."""

import json

from meshconsole.accounts import tokens
from meshconsole.accounts.models import ApiToken, AuditEntry, User
from tests.accounts import people

from .conftest import Api


def test_a_person_is_made_changed_and_disabled(alice):
    made = alice.json("/api/v1/people", {"username": "carol", "email": "carol@example.com", "roles": {"default": "editor"}})
    assert made.status_code == 201
    assert made.json()["invitation"].startswith("http://testserver/welcome/")
    assert made.json()["roles"] == {"default": "editor"}
    assert alice.json("/api/v1/people/carol/roles/payments", {"role": "viewer"}, "put").json()["roles"] == {
        "default": "editor",
        "payments": "viewer",
    }
    assert alice.delete("/api/v1/people/carol/roles/default").json()["roles"] == {"payments": "viewer"}
    assert alice.delete("/api/v1/people/carol/roles/default").status_code == 404
    assert alice.json("/api/v1/people/carol", {"active": False}, "patch").json()["state"] == "disabled"
    assert alice.json("/api/v1/people/carol/roles/*", {"role": "admin"}, "put").json()["roles"]["*"] == "admin"


def test_fields_that_nobody_asked_for_are_refused(alice):
    """Mass assignment."""
    for sent in (
        {"username": "x", "is_superuser": True},
        {"username": "x", "subject": "y"},
        {"username": "x", "epoch": 1},
        {"username": 7},
    ):
        assert alice.json("/api/v1/people", sent).status_code == 400
    people.person("dora")
    for sent in ({"is_superuser": True}, {"password": "x"}, {"username": "root"}, {"active": "yes"}, {"grants": []}):
        assert alice.json("/api/v1/people/dora", sent, "patch").status_code == 400
    assert alice.json("/api/v1/people/dora/roles/default", {"role": "admin", "user": 1}, "put").status_code == 400
    assert alice.json("/api/v1/tokens", {"name": "x", "user": 1}).status_code == 400
    assert not User.objects.get(username="dora").is_superuser


def test_a_namespaces_admin_gives_roles_there_and_sees_no_others(db):
    nora = Api(people.person("nora", default="admin"))
    people.person("dora", payments="editor")
    assert nora.get("/api/v1/people/dora").json()["roles"] == {}
    assert nora.json("/api/v1/people/dora/roles/default", {"role": "viewer"}, "put").status_code == 200
    assert nora.json("/api/v1/people/dora/roles/payments", {"role": "viewer"}, "put").status_code == 403
    assert nora.json("/api/v1/people/dora/roles/*", {"role": "viewer"}, "put").status_code == 403
    assert nora.json("/api/v1/people", {"username": "x"}).status_code == 403
    assert nora.get("/api/v1/audit").status_code == 403


def test_a_token_of_one_namespace_makes_no_admin(db):
    small = Api(people.alice(), namespaces=["default"])
    people.person("dora")
    assert small.json("/api/v1/people", {"username": "x"}).status_code == 403
    assert small.json("/api/v1/people/dora/roles/*", {"role": "admin"}, "put").status_code == 403
    assert small.json("/api/v1/people/dora/roles/payments", {"role": "admin"}, "put").status_code == 403


def test_the_last_admin_stays(alice):
    answer = alice.json("/api/v1/people/alice", {"active": False}, "patch")
    assert answer.status_code == 400
    assert "last admin" in answer.json()["error"]


def test_who_asks_is_told(bob):
    said = bob.get("/api/v1/me").json()
    assert (said["username"], said["roles"], said["token"]["name"]) == ("bob", {"default": "editor"}, "test")


def test_the_log_is_exported_verified_and_filtered(alice):
    alice.json("/api/v1/people", {"username": "carol"})
    text = b"".join(alice.get("/api/v1/audit/export")).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [r["action"] for r in rows] == ["create", "invite"]
    said = alice.get("/api/v1/audit/verify").json()
    assert (said["entries"], said["broken"]) == (2, [])
    assert alice.get("/api/v1/audit/verify", {"head": said["head"]}).json()["broken"] == []
    assert alice.get("/api/v1/audit/verify", {"head": "2:0000"}).json()["broken"]
    assert alice.get("/api/v1/audit/verify", {"head": "x"}).status_code == 400
    assert [i["action"] for i in alice.get("/api/v1/audit?action=invite&door=token").json()["items"]] == ["invite"]
    assert alice.get("/api/v1/audit?since=yesterday").status_code == 400


def test_a_rotated_token_has_a_new_secret_and_the_old_one_opens_nothing(alice):
    made = alice.json("/api/v1/tokens", {"name": "ci", "verbs": ["get"]}).json()
    answer = alice.post(f"/api/v1/tokens/{made['id']}/rotate").json()
    assert (answer["id"], answer["verbs"]) == (made["id"], ["get"])
    assert tokens.find(made["token"]) is None
    assert tokens.find(answer["token"]) is not None
    assert AuditEntry.objects.filter(action="rotate").exists()
    alice.delete(f"/api/v1/tokens/{made['id']}")
    assert alice.post(f"/api/v1/tokens/{made['id']}/rotate").status_code == 404


def test_a_narrow_token_cannot_rotate_itself_into_a_wider_one(db):
    user = people.person("bob", default="editor")
    wide, _ = tokens.create(user, "wide")
    narrow = Api(user, verbs=["get"], namespaces=["default"])
    assert narrow.post(f"/api/v1/tokens/{wide.pk}/rotate").status_code == 403
    own = ApiToken.objects.get(name="test")
    assert narrow.post(f"/api/v1/tokens/{own.pk}/rotate").status_code == 200


def test_a_token_that_opens_nothing_is_told_to_wait_while_others_go_on(alice, settings, monkeypatch):
    from meshconsole.accounts import lockout

    monkeypatch.setitem(lockout.FREE, "token", 3)
    stranger = Api()
    stranger.credentials(HTTP_AUTHORIZATION="Bearer msh_guess")
    answers = [stranger.get("/api/v1/me") for _ in range(5)]
    assert [a.status_code for a in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[3]["Retry-After"]) <= 6
    assert alice.get("/api/v1/me").status_code == 200  # the same address, a right token


def test_what_a_pipeline_did_is_told_from_what_a_person_did(alice):
    for agent, door in (("meshconsole/0.1 ci", "ci"), ("meshconsole/0.1", "cli"), ("curl/8", "token")):
        answer = alice.generic(
            "POST", "/api/v1/tokens", json.dumps({"name": door}), content_type="application/json", headers={"User-Agent": agent}
        )
        assert answer.status_code == 201
        assert AuditEntry.objects.order_by("-number").first().door == door
