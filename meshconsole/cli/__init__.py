"""The command `meshconsole`: a client of the REST API, the core's analysis without a server, and the starter of processes."""

import sys
from collections.abc import Sequence

GLOBAL = ("--server", "--token", "--ca")


def main(argv: Sequence[str] | None = None) -> None:
    from .app import app

    app(args=hoisted(list(sys.argv[1:] if argv is None else argv)), prog_name="meshconsole")


def hoisted(words: list[str]) -> list[str]:
    """Options about the server may stand anywhere, as with kubectl; the parser wants them before the command."""
    first: list[str] = []
    rest: list[str] = []
    i = 0
    while i < len(words):
        word = words[i]
        if word == "--":
            return [*first, *rest, *words[i:]]
        if word in GLOBAL and i + 1 < len(words):
            first += words[i : i + 2]
            i += 2
            continue
        (first if word.startswith(tuple(f"{g}=" for g in GLOBAL)) else rest).append(word)
        i += 1
    return [*first, *rest]
