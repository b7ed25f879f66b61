"""`-w`: a table, then each line that changes, as kubectl does; until Ctrl-C."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from .output import cells, table

EVERY = 1.0
"""Seconds between two looks."""

Watch = Annotated[bool, typer.Option("-w", "--watch", help="Go on with each line that changes.")]
Rows = Sequence[Sequence[Any]]


def listed(columns: Sequence[str], rows: Callable[[], Rows], *, key: int, moving: Sequence[str] = (), watch: bool, nothing: str) -> None:
    """`key`: the columns from the left that say which line it is. `moving`: those that change by themselves."""
    first = rows()
    table(columns, first, nothing=nothing)
    if not watch:
        return
    still = [at for at, column in enumerate(columns) if column not in moving]

    def known(found: Rows) -> dict[tuple[str, ...], tuple[list[str], list[str]]]:
        """Which line -> what of it is looked at, all of it."""
        return {tuple(row[:key]): ([row[at] for at in still], row) for row in cells(found)}

    before = known(first)
    widths = [max(map(len, column)) for column in zip(columns, *(row for _, row in before.values()), strict=True)]
    try:
        while True:
            time.sleep(EVERY)
            now = known(rows())
            for line, (said, row) in now.items():
                if line not in before or before[line][0] != said:
                    _print(row, widths)
            for line in before.keys() - now.keys():
                _print([*before[line][1], "(gone)"], widths)
            before = now
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _print(row: Sequence[str], widths: Sequence[int]) -> None:
    typer.echo("   ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=False)).rstrip())
