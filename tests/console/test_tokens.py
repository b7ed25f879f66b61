"""API tokens on the settings page: scoped, rotated, shown once."""

import pytest

from meshconsole.accounts import tokens
from meshconsole.accounts.models import ApiToken, AuditEntry

pytestmark = pytest.mark.django_db


def made(client, **asked) -> str:
    said = client.post("/settings/", {"name": "ci", "days": "30", "access": "all", **asked}).content.decode()
    return said.split('id="secret">')[1].split("<")[0] if 'id="secret"' in said else ""


def test_a_token_is_scoped_by_kind_and_verb(alice):
    secret = made(alice, access="change", kinds=["VirtualService", "Gateway"])
    token = tokens.find(secret)
    assert (token.kinds, token.verbs) == (["Gateway", "VirtualService"], ["create", "get", "update"])
    assert secret not in alice.get("/settings/").content.decode()


def test_a_kind_or_a_namespace_that_is_not_there_is_refused(alice):
    assert made(alice, kinds=["Nonsense"]) == ""
    assert made(alice, namespaces=["nowhere"]) == ""
    assert not ApiToken.objects.exists()


def test_a_rotated_token_keeps_what_it_may_and_has_a_new_secret(alice):
    old = made(alice, access="read")
    token = ApiToken.objects.get()
    said = alice.post(f"/settings/tokens/{token.pk}/rotate/").content.decode()
    new = said.split('id="secret">')[1].split("<")[0]
    assert tokens.find(old) is None
    assert tokens.find(new).verbs == ["get"]
    assert AuditEntry.objects.filter(action="rotate").count() == 1
    tokens.revoke(token)
    assert alice.post(f"/settings/tokens/{token.pk}/rotate/").status_code == 302
