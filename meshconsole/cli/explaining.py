"""The command that documents the kinds, as `kubectl explain` does; it needs no console."""

from typing import Annotated

import typer

from .connection import USAGE, fail


def explain(
    what: Annotated[str, typer.Argument(metavar="KIND[.FIELD]", help="A kind, or a field of it: virtualservice.http.retries.")],
) -> None:
    """What a kind's fields mean."""
    from meshconsole.core.policies import explain as kinds

    try:
        typer.echo(kinds.explain(what), nl=False)
    except kinds.Unknown as unknown:
        fail(str(unknown), USAGE)
