"""Messages on the terminal: one line each, `file:line: Error [IST0101] (VirtualService default/reviews) spec.http[0]: text`."""

from typing import Any

import typer

from .files import Source

COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


def show(messages: list[dict[str, Any]], source: Source | None = None, *, err: bool = True) -> None:
    for m in sorted(messages, key=lambda m: m.get("line") or 0):
        typer.secho(sentence(m, source), err=err, fg=COLOURS.get(m["level"]))


def sentence(m: dict[str, Any], source: Source | None = None) -> str:
    where = f"{source.where(m['line'])}: " if source and m.get("line") else f"line {m['line']}: " if m.get("line") else ""
    thing = m.get("object")
    named = f" ({thing['kind']} {thing['namespace']}/{thing['name']})" if thing else ""
    path = f" {m['path']}:" if m.get("path") else ""
    return f"{where}{m['level'].capitalize()} [{m['code']}]{named}{path} {m['text']}"


def of_core(messages: list[Any]) -> list[dict[str, Any]]:
    """The core's own messages in the form in which the console sends them."""
    return [
        {
            "level": m.level.name.lower(),
            "code": m.code,
            "object": {"kind": m.key.kind, "namespace": m.key.namespace, "name": m.key.name} if m.key else None,
            "path": m.path,
            "line": m.line,
            "text": m.text,
        }
        for m in messages
    ]
