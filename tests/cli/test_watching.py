"""`-w`: what changed is printed once more, and nothing else."""

import pytest
import typer

from meshconsole.cli import watching

ROWS = [
    [["a", "Unknown", "1s"], ["b", "True", "1s"]],
    [["a", "Unknown", "2s"], ["b", "True", "2s"]],
    [["a", "True", "3s"], ["b", "True", "3s"], ["c", "Unknown", "0s"]],
    [["a", "True", "4s"], ["c", "Unknown", "1s"]],
]


def test_each_change_is_a_line_and_age_is_none(monkeypatch, capsys):
    left = iter(ROWS)

    def rows():
        try:
            return next(left)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(watching, "EVERY", 0)
    with pytest.raises(typer.Exit) as stopped:
        watching.listed(["NAME", "PROGRAMMED", "AGE"], rows, key=1, moving=("AGE",), watch=True, nothing="Nothing.")
    assert stopped.value.exit_code == 130
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["NAME", "PROGRAMMED", "AGE"],
        ["a", "Unknown", "1s"],
        ["b", "True", "1s"],
        ["a", "True", "3s"],
        ["c", "Unknown", "0s"],
        ["b", "True", "3s", "(gone)"],
    ]


def test_what_is_not_there_yet_can_be_waited_for(monkeypatch, capsys):
    left = iter([[], [["a", "True"]]])

    def rows():
        for found in left:
            return found
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "EVERY", 0)
    with pytest.raises(typer.Exit):
        watching.listed(["NAME", "READY"], rows, key=1, watch=True, nothing="None yet.")
    said = capsys.readouterr()
    assert said.err == "None yet.\n" and said.out == "a      True\n"
