"""Codes are stable: each that is used is in the catalogue, once."""

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
