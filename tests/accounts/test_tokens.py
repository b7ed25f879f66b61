"""API tokens: found by their plaintext alone, dead when expired or revoked."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from meshconsole.accounts import tokens
from meshconsole.accounts.models import ApiToken

from . import people

pytestmark = pytest.mark.django_db


def test_a_token_is_found_by_its_plaintext():
    token, plaintext = tokens.create(people.person("bob"), "ci")
    assert plaintext.startswith("msh_")
    assert tokens.find(plaintext) == token
    assert tokens.find(plaintext + "x") is None


def test_the_database_does_not_hold_the_plaintext():
    _, plaintext = tokens.create(people.person("bob"), "ci")
    with connection.cursor() as cursor:
        cursor.execute("select * from accounts_apitoken")
        assert plaintext not in str(cursor.fetchall())


def test_an_expired_token_opens_nothing():
    _, plaintext = tokens.create(people.person("bob"), "ci", expires=timezone.now() - timedelta(seconds=1))
    assert tokens.find(plaintext) is None


def test_a_revoked_token_opens_nothing_and_its_name_is_free_again():
    bob = people.person("bob")
    token, plaintext = tokens.create(bob, "ci")
    assert tokens.revoke(token) is True
    assert tokens.revoke(token) is False
    assert tokens.find(plaintext) is None
    tokens.create(bob, "ci")


def test_a_token_dies_with_its_person():
    bob = people.person("bob")
    _, plaintext = tokens.create(bob, "ci")
    bob.is_active = False
    bob.save()
    assert tokens.find(plaintext) is None


def test_when_it_was_last_used_is_written_once_a_minute():
    token, plaintext = tokens.create(people.person("bob"), "ci")
    tokens.find(plaintext)
    first = ApiToken.objects.get(pk=token.pk).last_used
    tokens.find(plaintext)
    assert ApiToken.objects.get(pk=token.pk).last_used == first is not None
    ApiToken.objects.filter(pk=token.pk).update(last_used=timezone.now() - timedelta(minutes=2))
    tokens.find(plaintext)
    assert ApiToken.objects.get(pk=token.pk).last_used >= first
