"""What `meshconsole up` remembers from one start to the next."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from meshconsole.accounts.models import User
from meshconsole.cli.up import _remembered, welcome


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


def test_what_the_demo_prints_can_be_copied_and_ends_mended():
    said = welcome(
        {"url": "http://127.0.0.1:1", "gateway": "http://127.0.0.1:2", "username": "admin", "password": "p", "token": "t"}, demo=True
    )
    assert "export MESHCONSOLE_URL=http://127.0.0.1:1 MESHCONSOLE_TOKEN=t" in said
    named = [word for word in said.split() if word.endswith(".yaml")]
    assert len(named) == 2 and all(Path(word).is_file() for word in named)
    assert "delete --wait virtualservice ratings" in said
