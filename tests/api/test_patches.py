"""JSON patches: the examples of RFC 6902 and RFC 7396 that matter."""

import pytest

from meshconsole.api import patches


@pytest.mark.parametrize(
    "target,patch,after",
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a"], {"b": 1}, {"b": 1}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target, patch, after):
    assert patches.merge(target, patch) == after


@pytest.mark.parametrize(
    "document,operation,after",
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"foo": "bar", "baz": "qux"}),
        ({"foo": [1, 2]}, {"op": "add", "path": "/foo/1", "value": 9}, {"foo": [1, 9, 2]}),
        ({"foo": [1]}, {"op": "add", "path": "/foo/-", "value": 2}, {"foo": [1, 2]}),
        ({"a": 1, "b": 2}, {"op": "remove", "path": "/a"}, {"b": 2}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/0", "value": 9}, {"a": [9, 2]}),
        ({"a": {"x": 1}, "b": {}}, {"op": "move", "from": "/a/x", "path": "/b/x"}, {"a": {}, "b": {"x": 1}}),
        ({"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": {"x": 1}, "b": {"x": 1}}),
        ({"a/b": 1, "m~n": 2}, {"op": "test", "path": "/a~1b", "value": 1}, {"a/b": 1, "m~n": 2}),
        ({"a": 1}, {"op": "replace", "path": "", "value": {"b": 2}}, {"b": 2}),
    ],
)
def test_json_patch(document, operation, after):
    original = repr(document)
    assert patches.apply(document, [operation]) == after
    assert repr(document) == original


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nobody"},
        {"op": "replace", "path": "/nobody", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": "/list/-1", "value": 1},
        {"op": "test", "path": "/one", "value": True},
        {"op": "move", "from": "/map", "path": "/map/inside"},
        {"op": "dance", "path": "/one"},
        {"op": "add", "path": "one", "value": 1},
        {"op": "add", "path": "/one/below", "value": 1},
        {"op": "add"},
        7,
    ],
)
def test_what_cannot_be_done_is_refused(operation):
    with pytest.raises(ValueError, match="operation 0 of the JSON patch"):
        patches.apply({"one": 1, "list": [1], "map": {}}, [operation])
