"""`meshconsole explain-request`: where a request would go, and by which policies."""

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from .connection import USAGE, Connection, fail
from .output import Format, Output, data


def explain_request(
    context: typer.Context,
    caller: Annotated[
        str, typer.Argument(help="Who asks: namespace/name of a workload or gateway; a name means one in namespace default.")
    ],
    url: Annotated[str, typer.Argument(help="What is asked for, as the application writes it: reviews:9080/api?x=1")],
    method: Annotated[str, typer.Option("-X", "--method", help="HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option("-H", "--header", help="`name: value`; may be given several times.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Where a request would go: route, destinations, what is done to it, and who lets it in; each with its policy and line."""
    host, slash, path = url.removeprefix("http://").partition("/")
    if not host:
        fail(f"{url!r} names no host", USAGE)
    query = [
        ("from", caller if "/" in caller else f"default/{caller}"),
        ("to", host),
        ("path", f"{slash or '/'}{path}"),
        ("method", method),
    ]
    found = Connection(context.obj).get(f"/api/v1/explain?{urlencode(query + [('header', h) for h in header or ()])}")
    if output != Format.TABLE:
        data(found, output)
        return
    for line in lines(found):
        typer.echo("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line))


def lines(found: dict[str, Any]) -> list[str]:
    said = [found["sentence"], ""]
    if found["virtual_host"]:
        said.append(f"virtual host  {found['virtual_host']}")
        said.append(f"route         {found['route'] or '-'}{_by(found['line'])}{'' if found['sure'] else '  (not everything is known)'}")
    said += [f"  not         {each['line'] or 'a route'}: {each['words']}" for each in found["passed"]]
    said += [f"  does        {each['words']}{_by(each['line'])}" for each in found["effects"]]
    for destination in found["destinations"]:
        said.append(f"cluster       {destination['cluster']}  {destination['weight']} %{_by(', '.join(destination['lines']))}")
        said += [f"  does        {each['words']}{_by(each['line'])}" for each in destination["effects"]]
        said += [
            f"  instance    {i['workload'] or i['address'] or '?'}{'  mutual TLS' if i['mtls'] else '  plaintext'}: {i['words']}{_by(i['line'])}"
            for i in destination["instances"]
        ]
    return said + [f"note          {note}" for note in found["notes"]]


def _by(line: str) -> str:
    return f"  ← {line}" if line else ""
