"""Which console the commands talk to, and what they show it."""

import pytest

from meshconsole.cli.connection import Settings

FILE = "server: https://mesh.example/\ntoken: mct_file\nca: /etc/file.pem\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("URL", "TOKEN", "CA"):
        monkeypatch.delenv(f"MESHCONSOLE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "meshconsole").mkdir()
    (tmp_path / "meshconsole" / "config.yaml").write_text(FILE)
    return tmp_path


def test_what_is_not_said_comes_from_the_environment_then_from_the_file(home, monkeypatch):
    assert Settings().whole() == Settings("https://mesh.example", "mct_file", "/etc/file.pem")
    monkeypatch.setenv("MESHCONSOLE_TOKEN", "mct_env")
    assert Settings().whole() == Settings("https://mesh.example", "mct_env", "/etc/file.pem")
    assert Settings(server="https://mesh.example").whole().token == "mct_env"


def test_the_files_token_is_shown_to_the_files_console_only(home):
    assert Settings(server="https://mesh.example").whole().token == "mct_file"
    assert Settings(server="https://other.example").whole() == Settings("https://other.example", "", "")


def test_a_certificate_authority_of_the_environment_holds_beside_flags_for_all_else(home, monkeypatch):
    monkeypatch.setenv("MESHCONSOLE_CA", "/etc/env.pem")
    assert Settings("https://other.example", "mct_x").whole() == Settings("https://other.example", "mct_x", "/etc/env.pem")


def test_a_file_without_a_server_holds_for_any(home):
    (home / "meshconsole" / "config.yaml").write_text("token: mct_file\n")
    assert Settings(server="https://other.example").whole().token == "mct_file"
