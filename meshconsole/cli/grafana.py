"""Commands that bring the dashboards to Grafana: as files that it provisions, or over its API."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .connection import fail

grafana = typer.Typer(no_args_is_help=True, help="Dashboards for Grafana: mesh, service, workload, control plane, agents.")
Prometheus = Annotated[str, typer.Option(help="Where Grafana finds the Prometheus that scrapes the mesh.")]
Console = Annotated[str, typer.Option(help="The console's address: each dashboard links back to it.")]


@grafana.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; below it `dashboards` and `provisioning`.")],
    prometheus: Prometheus = "http://127.0.0.1:9090",
    console: Console = "",
    where: Annotated[str, typer.Option(help="Where the JSON files will lie on Grafana's host (default: where they are written).")] = "",
) -> None:
    """Write the dashboards and the files that provision them (Grafana: paths.provisioning)."""
    from meshconsole.grafana import generate

    try:
        written = generate.write(folder, prometheus=prometheus, console=console, where=where or str((folder / "dashboards").absolute()))
    except OSError as e:
        fail(f"cannot write: {e}")
    for path in written:
        typer.echo(path)


@grafana.command("push")
def push(
    url: Annotated[str, typer.Option(help="Grafana's address (or GRAFANA_URL).")] = "",
    token: Annotated[
        str, typer.Option(help="A service account's token, or user:password (or GRAFANA_TOKEN, which `ps` does not show).")
    ] = "",
    prometheus: Annotated[str, typer.Option(help="Also make (or update) a datasource for this Prometheus.")] = "",
    console: Console = "",
    ca: Annotated[str, typer.Option(help="File of CA certificates to trust for https.")] = "",
) -> None:
    """Create or update the dashboards over Grafana's API, in the folder Meshconsole."""
    from meshconsole.grafana.push import Failed, Grafana

    url, token = url or os.environ.get("GRAFANA_URL", ""), token or os.environ.get("GRAFANA_TOKEN", "")
    if not url or not token:
        fail("--url and --token are needed (or GRAFANA_URL and GRAFANA_TOKEN)")
    try:
        Grafana(url, token, ca=ca).push(prometheus=prometheus, console=console, told=typer.echo)
    except Failed as e:
        fail(str(e))
