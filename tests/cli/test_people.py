"""People and the audit log on the command line."""

import json

import pytest
from django.db import connection

from meshconsole.accounts import appendonly
from meshconsole.accounts.models import AuditEntry, User

from .conftest import run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_person_is_made_given_a_role_disabled_and_enabled(mesh):
    made = mesh("people", "create", "carol", "--role", "editor", "-n", "default")
    assert "/welcome/" in made.out
    assert mesh("people", "grant", "carol", "viewer", "-n", "*").out == "carol is viewer of every namespace\n"
    listed = mesh("people", "list").out
    assert "viewer of all, editor of default" in listed
    assert mesh("people", "withdraw", "carol", "-n", "default").status == 0
    assert mesh("people", "withdraw", "carol", "-n", "default").status == 1
    assert mesh("people", "disable", "carol").status == 0
    assert not User.objects.get(username="carol").is_active
    assert mesh("people", "invite", "carol").status == 1
    assert mesh("people", "enable", "carol").status == 0
    assert "/welcome/" in mesh("people", "invite", "carol").out
    for word in ("sign-out", "unlock", "reset-second-factor"):
        assert mesh("people", word, "carol").status == 0
    said = mesh("people", "disable", "alice")
    assert (said.status, "last admin" in said.err) == (1, True)
    assert mesh("people", "disable", "nobody").status == 1


def test_the_log_is_listed_exported_and_verified(mesh, tmp_path):
    mesh("people", "create", "carol")
    assert "create" in mesh("audit", "list", "--who", "alice").out
    assert [json.loads(line)["action"] for line in mesh("audit", "export").out.splitlines()] == ["create", "invite"]
    path = tmp_path / "audit.jsonl"
    assert "1 entries" in mesh("audit", "export", "-f", str(path), "--action", "invite").err
    assert json.loads(path.read_text())["action"] == "invite"
    whole = mesh("audit", "verify")
    head = whole.out.split("head ")[1].strip()
    mesh("people", "create", "dora")
    assert mesh("audit", "verify", "--head", head).status == 0
    appendonly.unguard(connection)
    AuditEntry.objects.filter(number=1).update(who="nobody")
    appendonly.guard(connection)
    if connection.vendor == "sqlite":
        appendonly.unguard(connection, "audit_no_delete")
    broken = mesh("audit", "verify", "--head", head)
    assert (broken.status, "entry 1 was changed" in broken.err) == (1, True)


def test_a_pipeline_s_door_is_told(mesh, live_server):
    environment = {**mesh.environment, "CI": "true"}
    assert run("token", "create", "from-ci", env=environment).status == 0
    assert AuditEntry.objects.get(object__startswith="ApiToken from-ci").door == "ci"
