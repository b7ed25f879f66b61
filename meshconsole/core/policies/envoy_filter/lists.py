"""Changes to what stands in order: listener filters, network filters, HTTP filters, routes."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from meshconsole.core.envoy.explained import mark
from meshconsole.core.envoy.merging import merge

from .changes import Change
from .schema import Operation


def edit(items: Any, change: Change, meant: Callable[[Any], bool] | None, end: Callable[[Any], int] = len) -> bool:
    """
    Add to, insert into, replace in or remove from `items`. `meant` says which one the change's match names; None where it names none: then
    an insertion goes to the beginning or the end, and nothing is replaced or removed (Istio). `end`: where an addition stands.
    """
    value = change.value
    if value is None and change.operation is not Operation.REMOVE:
        return False
    places = [n for n, each in enumerate(items) if meant is not None and meant(each)]
    match change.operation:
        case Operation.ADD:
            items.insert(end(items), value)
        case Operation.INSERT_FIRST:
            items.insert(0, value)
        case Operation.INSERT_BEFORE if meant is None:
            items.insert(0, value)
        case Operation.INSERT_AFTER if meant is None:
            items.insert(end(items), value)
        case Operation.INSERT_BEFORE if places:
            items.insert(places[0], value)
        case Operation.INSERT_AFTER if places:
            items.insert(places[0] + 1, value)
        case Operation.REPLACE if places:
            items[places[0]].CopyFrom(value)
        case Operation.REMOVE if places:
            for place in reversed(places):
                del items[place]
        case _:
            return False
    return True


def join(into: Message, change: Change) -> None:
    assert change.value is not None
    merge(into, change.value, replace_lists=change.operation is Operation.MERGE_AND_REPLACE_LIST)
    mark(into, change.origin)
