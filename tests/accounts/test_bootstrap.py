"""`bootstrap`: an administrator and a token, however often it runs."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from meshconsole.accounts import tokens
from meshconsole.accounts.models import ApiToken, User

pytestmark = pytest.mark.django_db


def bootstrap(*words: str) -> dict:
    out = StringIO()
    call_command("bootstrap", *words, stdout=out)
    return json.loads(out.getvalue())


def test_it_says_a_password_and_a_token_that_work():
    said = bootstrap()
    assert User.objects.get(username=said["username"]).check_password(said["password"])
    found = tokens.find(said["token"])
    assert found is not None
    assert found.user.is_superuser


def test_run_again_with_what_it_said_it_changes_nothing():
    said = bootstrap()
    again = bootstrap("--username", said["username"], "--password", said["password"], "--token", said["token"])
    assert again == said
    assert (User.objects.count(), ApiToken.objects.count()) == (1, 1)


def test_run_again_with_nothing_it_keeps_the_password_and_replaces_the_token():
    said = bootstrap()
    again = bootstrap()
    assert again["password"] is None
    assert User.objects.get().check_password(said["password"])
    assert tokens.find(said["token"]) is None
    assert tokens.find(again["token"]) is not None
