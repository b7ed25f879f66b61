"""Who may do what: roles per namespace, and the scopes of tokens."""

import pytest
from django.contrib.auth.models import AnonymousUser

from meshconsole.accounts import tokens
from meshconsole.accounts.permissions import may, visible

from . import people

pytestmark = pytest.mark.django_db

TABLE = [
    # role,   verb,     kind,             in its namespace, elsewhere
    ("viewer", "get", "VirtualService", True, False),
    ("viewer", "update", "VirtualService", False, False),
    ("viewer", "get", "JoinToken", False, False),
    ("editor", "create", "VirtualService", True, False),
    ("editor", "update", "VirtualService", True, False),
    ("editor", "delete", "VirtualService", True, False),
    ("editor", "create", "JoinToken", False, False),
    ("editor", "get", "AuditEntry", False, False),
    ("viewer", "get", "EnvoyFilter", True, False),
    ("editor", "create", "EnvoyFilter", False, False),
    ("editor", "delete", "EnvoyFilter", False, False),
    ("admin", "update", "EnvoyFilter", True, False),
    ("admin", "delete", "VirtualService", True, False),
    ("admin", "create", "JoinToken", True, False),
]


@pytest.mark.parametrize("role,verb,kind,inside,outside", TABLE)
def test_a_role_reaches_as_far_as_its_namespace(role, verb, kind, inside, outside):
    bob = people.person("bob", default=role)
    assert may(bob, verb, kind, "default") is inside
    assert may(bob, verb, kind, "payments") is outside
    assert may(bob, verb, kind, "*") is False


def test_a_grant_for_all_namespaces_holds_in_each_and_for_the_mesh():
    bob = people.person("bob", every="editor")
    assert may(bob, "update", "VirtualService", "anything")
    assert may(bob, "update", "VirtualService", "*")
    assert visible(bob, "get", "VirtualService") is None


def test_an_outsider_and_a_stranger_may_nothing():
    charlie = people.person("charlie")
    for who in (charlie, AnonymousUser()):
        assert not may(who, "get", "VirtualService", "default")
        assert not may(who, "get", "VirtualService", None)


def test_who_is_deactivated_may_nothing_any_more():
    alice = people.alice()
    alice.is_active = False
    assert not may(alice, "get", "VirtualService", "default")


def test_a_token_may_what_its_person_may_within_its_scopes():
    bob = people.person("bob", default="editor", payments="editor")
    token, _ = tokens.create(bob, "ci", namespaces=["default", "mars"], kinds=["VirtualService"], verbs=["get", "update"])
    assert may(token, "update", "VirtualService", "default")
    assert not may(token, "update", "VirtualService", "payments")  # not in its scope
    assert not may(token, "update", "VirtualService", "mars")  # not bob's
    assert not may(token, "update", "DestinationRule", "default")
    assert not may(token, "delete", "VirtualService", "default")
    assert visible(token, "get", "VirtualService") == {"default"}


def test_lists_show_a_member_only_their_namespaces():
    bob = people.person("bob", default="viewer", payments="admin")
    assert visible(bob, "get", "VirtualService") == {"default", "payments"}
    assert visible(bob, "get", "JoinToken") == {"payments"}
    assert visible(people.person("charlie"), "get", "VirtualService") == set()
