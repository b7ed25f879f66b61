"""Accounts and roles: who may change them, and that an admin always stays."""

import pytest
from django.contrib.auth.tokens import default_token_generator

from meshconsole.accounts import audit, people
from meshconsole.accounts.models import Grant, SignedIn, User
from meshconsole.accounts.permissions import may

from . import people as cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return cast.author(cast.alice())


def test_a_person_is_made_with_roles_and_without_a_password(alice):
    carol = people.create(alice, "carol", email="carol@example.com", grants={"default": "editor", "*": "viewer"})
    assert people.roles(carol) == {"default": "editor", "*": "viewer"}
    assert people.state(carol) == "invited"
    assert not carol.has_usable_password()
    assert [(e.action, e.object) for e in audit.entries()] == [("grant", "User carol"), ("grant", "User carol"), ("create", "User carol")]


@pytest.mark.parametrize("name", ["", "a b", "<script>alert(1)</script>", "x" * 151, "a/b"])
def test_a_name_that_is_none_is_refused(alice, name):
    with pytest.raises(people.Refused) as told:
        people.create(alice, name)
    assert told.value.field == "username"


def test_two_people_do_not_differ_by_case_alone(alice):
    people.create(alice, "carol")
    with pytest.raises(people.Refused, match="already"):
        people.create(alice, "Carol")


@pytest.mark.parametrize("password", ["short", "password", "12345678901", "carolina"])
def test_a_bad_password_is_refused_with_its_reason(alice, password):
    with pytest.raises(people.Refused) as told:
        people.create(alice, "carolina", password=password)
    assert told.value.field == "password"
    assert not User.objects.filter(username="carolina").exists()


@pytest.mark.parametrize("namespace", ["", "a b", "Default", "*x", "-a", "x" * 64])
def test_a_role_in_what_is_no_namespace_is_refused(alice, namespace):
    carol = people.create(alice, "carol")
    with pytest.raises(people.Refused):
        people.grant(alice, carol, namespace, "viewer")
    with pytest.raises(people.Refused):
        people.grant(alice, carol, "default", "owner")


def test_an_admin_of_a_namespace_gives_and_takes_roles_there_and_nowhere_else():
    bob = cast.author(cast.person("bob", default="admin"))
    charlie = cast.person("charlie", payments="viewer")
    people.grant(bob, charlie, "default", "editor")
    assert may(charlie, "update", "VirtualService", "default")
    for namespace in ("payments", "*"):
        with pytest.raises(people.Refused) as told:
            people.grant(bob, charlie, namespace, "admin")
        assert told.value.forbidden
    with pytest.raises(people.Refused):
        people.withdraw(bob, charlie, "payments")
    assert people.withdraw(bob, charlie, "default")
    assert not may(User.objects.get(pk=charlie.pk), "get", "VirtualService", "default")


def test_accounts_are_not_the_business_of_a_namespaces_admin():
    bob = cast.author(cast.person("bob", default="admin"))
    charlie = cast.person("charlie")
    for attempt in (
        lambda: people.create(bob, "mallory"),
        lambda: people.change(bob, charlie, active=False),
        lambda: people.invitation(bob, charlie),
        lambda: people.reset_factors(bob, charlie),
        lambda: people.sign_out(bob, charlie),
        lambda: people.unlock(bob, charlie),
    ):
        with pytest.raises(people.Refused) as told:
            attempt()
        assert told.value.forbidden


def test_the_last_admin_is_neither_disabled_nor_demoted(alice):
    user = User.objects.get(username="alice")
    for attempt in (
        lambda user: people.change(alice, user, active=False),
        lambda user: people.grant(alice, user, "*", "viewer"),
        lambda user: people.withdraw(alice, user, "*"),
    ):
        with pytest.raises(people.Refused, match="last admin"):
            attempt(user)
        user = User.objects.get(username="alice")
        assert user.is_active and people.roles(user) == {"*": "admin"}
    bob = people.create(alice, "bob", grants={"*": "admin"})
    people.withdraw(cast.author(bob), user, "*")
    assert people.roles(User.objects.get(username="alice")) == {}
    with pytest.raises(people.Refused, match="last admin"):
        people.withdraw(cast.author(bob), bob, "*")


def test_an_admin_who_is_disabled_does_not_count(alice):
    bob = people.create(alice, "bob", grants={"*": "admin"})
    people.change(alice, bob, active=False)
    with pytest.raises(people.Refused, match="last admin"):
        people.change(alice, User.objects.get(username="alice"), active=False)


def test_who_is_disabled_is_signed_out_at_once(alice, client):
    bob = cast.person("bob", default="viewer")
    client.force_login(bob)
    assert SignedIn.objects.filter(user=bob).count() == 1
    people.change(alice, bob, active=False)
    assert client.get("/settings/").status_code == 302
    people.change(alice, bob, active=True)
    assert client.get("/settings/").status_code == 302  # the old session does not come back to life


def test_an_invitation_opens_once(alice, client):
    carol = people.create(alice, "carol")
    path = people.invitation(alice, carol)
    page = client.get(path, follow=True)
    assert page.redirect_chain[0][0].endswith("/set-password/")  # the token is not in the address of the page
    said = {"new_password1": "staple battery horse", "new_password2": "staple battery horse"}
    assert client.post(page.redirect_chain[0][0], said)["Location"] == "/login/?welcome=1"
    assert User.objects.get(username="carol").check_password("staple battery horse")
    assert "This link is over" in client.get(path, follow=True).content.decode()
    assert audit.entries()[0].action == "set password"


def test_a_role_from_the_provider_becomes_an_admins_when_an_admin_gives_it(alice):
    carol = people.create(alice, "carol")
    Grant.objects.create(user=carol, namespace="default", role="viewer", source="sso")
    people.grant(alice, carol, "default", "editor")
    assert Grant.objects.get(user=carol).source == ""


def test_signing_out_everywhere_ends_sessions_that_nobody_listed(alice, client):
    bob = cast.person("bob")
    client.force_login(bob)
    SignedIn.objects.all().delete()
    people.sign_out(alice, bob)
    assert client.get("/settings/").status_code == 302


def test_a_link_made_before_a_password_was_set_is_over(alice):
    carol = people.create(alice, "carol")
    token = people.invitation(alice, carol).split("/")[-2]
    people.set_password(alice, carol, "staple battery horse")
    assert not default_token_generator.check_token(User.objects.get(pk=carol.pk), token)
