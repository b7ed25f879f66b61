"""The commands by name. Each imports what it needs when it runs, so that `--help` and small commands start at once."""

from typing import Annotated

import typer

from . import alerts, authority, explaining, grafana, logs, mesh, people, processes, resources, tokens, why
from .connection import Settings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="A service mesh that needs no Kubernetes. Exit status: 0 done, 1 refused or failed, 2 usage, 3 timed out waiting.",
)


@app.callback()
def options(
    context: typer.Context,
    server: Annotated[str, typer.Option(help="URL of the console (or MESHCONSOLE_URL, or ~/.config/meshconsole/config.yaml).")] = "",
    token: Annotated[str, typer.Option(help="API token (or MESHCONSOLE_TOKEN, or the file).")] = "",
    ca: Annotated[str, typer.Option(help="File of CA certificates to trust for https (or MESHCONSOLE_CA, or the file).")] = "",
) -> None:
    context.obj = Settings(server, token, ca)


for command in (
    resources.apply,
    resources.diff,
    resources.analyze,
    resources.get,
    resources.delete,
    resources.rollback,
    resources.history,
    explaining.explain,
    mesh.proxy_status,
    mesh.proxy_config,
    mesh.topology,
    mesh.mtls,
    logs.logs,
    logs.denials,
    why.explain_request,
    processes.up,
    processes.web,
    processes.worker,
    processes.migrate,
):
    app.command()(command)
app.add_typer(tokens.api_tokens, name="token")
app.add_typer(tokens.join_tokens, name="join-token")
app.add_typer(authority.ca, name="ca")
app.add_typer(authority.certificates, name="certificates")
app.add_typer(authority.agents, name="agents")
app.add_typer(alerts.alerts, name="alerts")
app.add_typer(grafana.grafana, name="grafana")
app.add_typer(people.people, name="people")
app.add_typer(people.audit, name="audit")
