"""The pages of people and of the audit log."""

import pytest

from meshconsole.accounts import appendonly
from meshconsole.accounts import people as accounts
from meshconsole.accounts.models import AuditEntry, User
from tests.accounts import people
from tests.console.conftest import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_of_default():
    return signed_in(people.person("nora", default="admin"))


def test_only_admins_see_people_and_only_the_meshs_admins_the_audit_log(alice, bob, charlie, admin_of_default):
    for path, may in {
        "/people/": (alice, admin_of_default),
        "/people/new/": (alice,),
        "/audit/": (alice,),
        "/audit/chain/": (alice,),
    }.items():
        for client in (alice, bob, charlie, admin_of_default):
            assert client.get(path).status_code == (200 if client in may else 403), path
    assert "Audit log" not in admin_of_default.get("/people/").content.decode()
    assert ">People<" not in bob.get("/settings/").content.decode()


def test_an_admin_of_a_namespace_sees_roles_there_only(admin_of_default):
    dora = people.person("dora", default="viewer", payments="editor")
    said = admin_of_default.get(f"/people/{dora.pk}/").content.decode()
    assert "default" in said
    assert "payments" not in said
    assert "Disable" not in said
    assert admin_of_default.post(f"/people/{dora.pk}/role/", {"namespace": "default", "role": "admin"}).status_code == 302
    assert admin_of_default.post(f"/people/{dora.pk}/role/", {"namespace": "*", "role": "admin"}).status_code == 403
    for what in ("active", "invite", "reset-factors", "sign-out", "unlock", "details"):
        assert admin_of_default.post(f"/people/{dora.pk}/{what}/", {"active": "0"}).status_code == 403, what


def test_somebody_is_added_and_gets_a_link(alice):
    answer = alice.post("/people/new/", {"username": "carol", "role": "editor", "namespace": "default"})
    said = answer.content.decode()
    assert "http://testserver/welcome/" in said
    assert accounts.roles(User.objects.get(username="carol")) == {"default": "editor"}
    again = alice.post("/people/new/", {"username": "carol"})
    assert again.status_code == 400 and "already" in again.content.decode()


def test_a_password_that_is_none_is_told_at_its_field(alice):
    answer = alice.post("/people/new/", {"username": "carol", "password": "12345"})
    assert answer.status_code == 400 and "too short" in answer.content.decode()
    assert not User.objects.filter(username="carol").exists()


def test_the_last_admin_stays_and_the_page_says_why(alice):
    user = User.objects.get(username="alice")
    answer = alice.post(f"/people/{user.pk}/active/", {"active": "0"}, follow=True)
    assert "last admin" in answer.content.decode()
    assert User.objects.get(pk=user.pk).is_active


def test_what_is_no_action_is_not_there(alice):
    dora = people.person("dora")
    assert alice.post(f"/people/{dora.pk}/promote/").status_code == 404
    assert alice.get(f"/people/{dora.pk}/active/").status_code == 405
    assert alice.get("/people/7777777/").status_code == 404


def test_the_log_is_filtered_and_exported_as_it_is_filtered(alice):
    dora = people.person("dora")
    alice.post(f"/people/{dora.pk}/role/", {"namespace": "default", "role": "editor"})
    alice.post(f"/people/{dora.pk}/active/", {"active": "0"})
    everything = alice.get("/audit/").content.decode()
    assert "grant" in everything and "+default: editor" in everything
    only = alice.get("/audit/?action=disable").content.decode()
    assert "+default: editor" not in only
    assert "Nothing matches" in alice.get("/audit/?who=nobody").content.decode()
    lines = b"".join(alice.get("/audit/export/?action=disable")).decode().splitlines()
    assert len(lines) == 1 and '"disable"' in lines[0]


def test_the_chains_state_is_green_or_red(alice):
    from django.db import connection

    dora = people.person("dora")
    alice.post(f"/people/{dora.pk}/role/", {"namespace": "default", "role": "editor"})
    assert "The chain is whole" in alice.get("/audit/chain/", headers={"HX-Request": "true"}).content.decode()
    assert "<h1>Audit log</h1>" in alice.get("/audit/chain/").content.decode()  # opened by itself
    appendonly.unguard(connection)
    AuditEntry.objects.filter(action="grant").update(who="nobody")
    assert "tampered" in alice.get("/audit/chain/", headers={"HX-Request": "true"}).content.decode()


@pytest.mark.parametrize(
    "query", ["before=x", "before=99999999999999999999999", "since=nonsense", "who=%00", "span=9y", "action=<b>", "namespace=%00"]
)
def test_nonsense_in_the_filters_is_no_error(alice, query):
    assert alice.get(f"/audit/?{query}").status_code == 200
