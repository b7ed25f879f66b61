"""Kubernetes' label selectors: `app=reviews,version!=v1,tier in (a, b),!canary`. Pure."""

import re
from collections.abc import Callable, Mapping

Selector = Callable[[Mapping[str, str]], bool]

_SET = re.compile(r"^(?P<key>[^\s!=(),<>]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=(),<>]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=(),<>]*)$")
_EXISTS = re.compile(r"^(?P<op>!?)\s*(?P<key>[^\s!=(),<>]+)$")


def parse(text: str) -> Selector:
    """The test that `text` stands for; ValueError when it is not a selector."""
    requirements = [_requirement(part.strip()) for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    return lambda labels: all(holds(labels) for holds in requirements)


def _requirement(text: str) -> Selector:
    if found := _SET.match(text):
        key, values = found["key"], {v.strip() for v in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key, absent = found["key"], bool(found["op"])
        return lambda labels: (key in labels) is not absent
    raise ValueError(f"{text!r} is not a label selector: write key=value, key!=value, key in (a,b), key notin (a,b), key or !key")
