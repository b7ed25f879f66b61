import os
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from meshconsole.accounts import tokens
from meshconsole.cli import hoisted
from meshconsole.cli.app import app
from tests.accounts import people


@dataclass
class Said:
    status: int
    out: str
    err: str


def run(*words: str, stdin: str | None = None, env: dict[str, str] | None = None) -> Said:
    """The command in this process."""
    result = CliRunner().invoke(app, hoisted(list(words)), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in [n for n in os.environ if n.startswith("MESHCONSOLE_")]:
        monkeypatch.delenv(name)
    # Whoever runs the tests may be CI itself, and the door that a command names depends on that.
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def mesh(live_server):
    """`mesh("apply", "-f", …)`: the command as alice, who may do everything, against a console."""
    _, plaintext = tokens.create(people.alice(), "cli")
    environment = {"MESHCONSOLE_URL": live_server.url, "MESHCONSOLE_TOKEN": plaintext}

    def command(*words: str, stdin: str | None = None) -> Said:
        return run(*words, stdin=stdin, env=environment)

    command.environment = environment
    return command


@pytest.fixture
def file(tmp_path):
    """`file("a.yaml", text)` writes it and gives its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write
