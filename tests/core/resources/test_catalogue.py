"""Codes are stable: each that is used is in the catalogue, once."""

import ast
import re
from pathlib import Path

import meshconsole
from meshconsole.core.resources.catalogue import CATALOGUE

SOURCE = Path(meshconsole.__file__).parent


def test_every_code_that_a_message_bears_is_in_the_catalogue():
    used = {
        code: path.relative_to(SOURCE)
        for path in SOURCE.rglob("*.py")
        if path.name != "catalogue.py"
        for code in re.findall(r'"((?:IST|MSH)\d{4})"', path.read_text())
    }
    assert {code: path for code, path in used.items() if code not in CATALOGUE} == {}
    assert len(used) > 10


def test_every_entry_says_what_it_means():
    for code, entry in CATALOGUE.items():
        assert re.fullmatch(r"(IST|MSH)\d{4}", code)
        assert entry.meaning.endswith(".")
    assert len({entry.name for entry in CATALOGUE.values()}) == len(CATALOGUE)


def test_a_code_of_ours_means_one_thing():
    """The general ones have a name in the catalogue, and are written by that name only: a number chosen elsewhere would mean something else."""
    literal = {
        f"{path.relative_to(SOURCE)}: {code}"
        for path in SOURCE.rglob("*.py")
        if path.name != "catalogue.py"
        for code in re.findall(r'"(MSH0[01]\d{2})"', path.read_text())
    }
    assert literal == set()


def test_no_code_stands_twice_in_the_catalogue():
    tree = ast.parse((SOURCE / "core" / "resources" / "catalogue.py").read_text())
    names = {n.targets[0].id: n.value.value for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Constant)}
    assert len(set(names.values())) == len(names)
    table = next(n.value for n in tree.body if isinstance(n, ast.AnnAssign))
    codes = [key.value if isinstance(key, ast.Constant) else names[key.id] for key in table.keys]
    assert len(set(codes)) == len(codes) == len(CATALOGUE)
