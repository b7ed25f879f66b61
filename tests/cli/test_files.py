"""What `-f` names, and how a line of the whole finds its file again."""

import json

import pytest
import typer

from meshconsole.cli.files import read
from meshconsole.core.policies import parse

from ..configstore.manifests import route


def test_files_directories_and_globs_are_read_in_order(file, tmp_path):
    for name in ("b.yaml", "a.yml", "deep/c.yaml", "notes.txt"):
        file(name, f"# {name}\n")
    assert [p.name.removeprefix(f"{tmp_path}/") for p in read([str(tmp_path)]).parts] == ["a.yml", "b.yaml", "deep/c.yaml"]
    assert [p.name.removeprefix(f"{tmp_path}/") for p in read([f"{tmp_path}/*.yaml"]).parts] == ["b.yaml"]
    assert [p.name.removeprefix(f"{tmp_path}/") for p in read([f"{tmp_path}/**/*.yaml"]).parts] == ["b.yaml", "deep/c.yaml"]


def test_a_line_of_the_whole_finds_its_file(file):
    a, b, c = file("a.yaml", "one: 1\ntwo: 2"), file("b.yaml", "---\nthree: 3\n"), file("c.yaml", "four: 4\n")
    source = read([a, b, c])
    lines = source.text.splitlines()
    for text, wanted in (("one: 1", f"{a}:1"), ("two: 2", f"{a}:2"), ("three: 3", f"{b}:2"), ("four: 4", f"{c}:1")):
        assert source.where(lines.index(text) + 1) == wanted


def test_files_that_end_without_a_newline_or_begin_with_a_mark_stay_apart(file):
    texts = ["\ufeff" + route("a").rstrip("\n"), "---\n" + route("b"), route("c")]
    source = read([file(f"{i}.yaml", t) for i, t in enumerate(texts)])
    assert [p.metadata.name for p in parse(source.text)[0]] == ["a", "b", "c"]


def test_json_may_be_indented_by_tabs(file):
    data = parse(route())[0][0].model_dump(mode="json", by_alias=True, exclude_unset=True)
    source = read([file("a.json", json.dumps(data, indent="\t"))])
    assert [p.metadata.name for p in parse(source.text)[0]] == ["reviews"]


@pytest.mark.parametrize("name", ["missing.yaml", "nothing-*.yaml", "empty"])
def test_what_is_not_there_is_a_usage_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(typer.Exit) as ended:
        read([str(tmp_path / name)])
    assert ended.value.exit_code == 2


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(typer.Exit) as ended:
        read([str(tmp_path / "x.yaml")])
    assert ended.value.exit_code == 1
