"""Tables, JSON and YAML on the terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--output", help="How to print it.")]


def data(value: Any, form: Format) -> None:
    if form == Format.JSON:
        import json

        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        import yaml

        typer.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, nothing: str = "Nothing found.") -> None:
    """As kubectl and istioctl print it: capitals, three spaces, nothing cut: lines may be grepped."""
    if not rows:
        typer.echo(nothing, err=True)
        return
    lines = [list(columns), *cells(rows)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(columns))]
    for row in lines:
        typer.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def cells(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """What a table shows of these values."""
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str("" if value is None else value)
    if not text:
        return "-"
    # What others wrote must not move the cursor of who looks.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def age(created: str | None) -> str:
    if not created:
        return ""
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()))
    for size, unit, least in ((86400, "d", 2 * 86400), (3600, "h", 3 * 3600), (60, "m", 120)):
        if seconds >= least:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def coloured_diff(text: str) -> None:
    for line in text.splitlines():
        bold = line.startswith(("+++", "---"))
        fg = None if bold else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        typer.secho(line, fg=fg, bold=bold)
