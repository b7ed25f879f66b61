"""docs/istio-behaviour.md names tests and golden folders: each of them exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = [line for line in (TESTS.parent / "docs" / "istio-behaviour.md").read_text().splitlines() if line.startswith("| ")][2:]


def _tests(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_what_a_row_names_is_there(row: str):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
    golden = row.rstrip("| ").rpartition("|")[2].strip()
    assert "::" in row.split("|")[3], "no test sends requests"
    assert [f"{file}::{name}" for file, name in named if name not in _tests(TESTS / file)] == []
    assert (TESTS / "golden" / golden / "in.yaml").exists()
    # A test that is said to send requests starts an Envoy, itself or by what its folder starts.
    requests = re.findall(r"`([\w/]+\.py)::", row.split("|")[3])
    assert all("envoy" in (TESTS / file).read_text() or file.startswith("journeys/") for file in requests)
