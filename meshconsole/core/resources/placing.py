"""Lines for messages that were found after reading: by analysis, by the store. They know their object; the text knows its line."""

from collections.abc import Iterable
from dataclasses import replace

from .messages import Invalid, Key, Message
from .yaml import Lines, load_documents


def placed(text: str | bytes, messages: Iterable[Message]) -> list[Message]:
    """The messages, each with the line and the document of its object in `text`, where it stands there."""
    messages = list(messages)
    if all(m.line or m.key is None for m in messages):
        return messages
    try:
        places = dict(_places(text))
    except Invalid:
        return messages
    return [_at(m, places.get(m.key)) if m.key and not m.line else m for m in messages]


def _places(text: str | bytes) -> Iterable[tuple[Key, tuple[Lines, str, int]]]:
    for document in load_documents(text):
        items = document.data.get("items")
        objects = {f"items[{n}]": item for n, item in enumerate(items)} if isinstance(items, list) else {"": document.data}
        for prefix, found in objects.items():
            metadata = found.get("metadata") if isinstance(found, dict) else None
            if isinstance(metadata, dict):
                group = str(found.get("apiVersion")).rpartition("/")[0]
                key = Key(group, str(found.get("kind")), str(metadata.get("namespace") or "default"), str(metadata.get("name")))
                yield key, (document.lines, prefix, document.index)


def _at(message: Message, place: tuple[Lines, str, int] | None) -> Message:
    if place is None:
        return message
    lines, prefix, index = place
    path = ".".join(filter(None, (prefix, message.path)))
    return replace(message, line=lines.of(path), document=index)
