"""The command starts at once, without Django, and knows where the console is."""

import subprocess
import sys
import time

import pytest

from meshconsole.cli import hoisted
from meshconsole.cli.connection import Settings

from .conftest import run


@pytest.mark.parametrize("words", [["--help"], ["apply", "--help"], ["get", "vs", "--server", "http://127.0.0.1:9"]])
def test_no_command_imports_django(words):
    code = (
        "import sys\nfrom meshconsole.cli import main\n"
        "try:\n main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('django', 'channels', 'celery', 'rest_framework')]\n"
        "print('IMPORTED', bad)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert "IMPORTED []" in done.stdout, done.stdout + done.stderr


def test_local_analysis_needs_no_django_either(file):
    path = file("x.yaml", "kind: Nothing\n")
    code = f"import sys\nfrom meshconsole.cli import main\ntry:\n main(['analyze', '-f', {path!r}])\nexcept SystemExit as e: print('STATUS', e.code)\nprint('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "STATUS 1\nFalse" in done.stdout, done.stdout + done.stderr


def test_help_is_there_at_once():
    best = 9.0
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "meshconsole.cli", "--help"], capture_output=True, check=True)
        best = min(best, time.perf_counter() - begin)
    assert best < 1.0  # 0.07 s when measured alone


def test_options_about_the_server_may_stand_anywhere():
    assert hoisted(["get", "vs", "--server", "S", "--token=T", "-A"]) == ["--server", "S", "--token=T", "get", "vs", "-A"]
    assert hoisted(["token", "create", "x", "--", "--server", "S"]) == ["token", "create", "x", "--", "--server", "S"]


def test_flags_come_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    folder = tmp_path / "config" / "meshconsole"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("server: http://file/\ntoken: from-file\n")
    assert Settings().whole() == Settings("http://file", "from-file")
    monkeypatch.setenv("MESHCONSOLE_URL", "http://environment")
    assert Settings().whole() == Settings("http://environment", "")  # the file's token is for the file's console
    monkeypatch.setenv("MESHCONSOLE_TOKEN", "from-environment")
    assert Settings("http://flag").whole() == Settings("http://flag", "from-environment")
    assert Settings("http://flag", "from-flag").whole() == Settings("http://flag", "from-flag")


def test_without_anything_it_is_the_console_on_this_machine():
    assert Settings().whole() == Settings("http://127.0.0.1:8000", "", "")


def test_a_broken_file_is_a_usage_error(tmp_path):
    folder = tmp_path / "config" / "meshconsole"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("sever: typo\n")
    said = run("get", "vs")
    assert said.status == 2
    assert "config.yaml" in said.err


def test_a_console_that_is_not_there_is_said_in_words():
    said = run("get", "vs", "--server", "http://127.0.0.1:9")
    assert said.status == 1
    assert "No console answers at http://127.0.0.1:9" in said.err


def test_what_is_no_url_is_a_usage_error():
    assert run("get", "vs", "--server", "nonsense").status == 2


def test_unknown_words_are_usage_errors():
    assert run("aply").status == 2
    assert run("apply").status == 2
