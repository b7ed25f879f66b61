"""What `meshconsole up` remembers from one start to the next."""

import json

import pytest
from django.core.management import call_command

from meshconsole.accounts.models import User
from meshconsole.cli.up import _remembered


@pytest.mark.django_db
def test_a_password_that_begins_with_a_dash_is_kept_over_a_second_start(tmp_path, capsys):
    call_command("bootstrap", "--password=-Wz5FupHpSU2b0vjq")
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    (tmp_path / "demo.json").write_text(json.dumps(first))
    call_command("bootstrap", *_remembered(tmp_path))
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first
    assert User.objects.get(username="admin").check_password("-Wz5FupHpSU2b0vjq")


def test_a_first_start_remembers_nothing(tmp_path):
    assert _remembered(tmp_path) == []
