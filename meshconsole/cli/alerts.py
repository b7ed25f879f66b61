"""Commands about alerts: what fires, taking one on, silences and maintenance windows, and the rules for Prometheus."""

from typing import Annotated, Any

import typer

from .connection import USAGE, Connection, fail
from .output import Format, Output, age, data, table

alerts = typer.Typer(no_args_is_help=True, help="Alerts: what fires, who is on it, and what nobody shall be told of.")
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Only this namespace.")]


@alerts.command("list")
def list_alerts(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="pending, firing or resolved; without it: all.")] = "",
    namespace: Namespace = "",
    output: Output = Format.TABLE,
) -> None:
    """The firing first, then the pending, then those that are over."""
    items = Connection(context.obj).get("/api/v1/alerts", state=state, namespace=namespace)["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    table(
        ["ID", "STATE", "SEVERITY", "NAMESPACE", "RULE", "SINCE", "ON IT", "SUMMARY"],
        [_row(a) for a in items],
        nothing="Nothing is wrong that a rule knows of.",
    )


def _row(alert: dict[str, Any]) -> list[Any]:
    state = "silenced" if alert["silenced"] else alert["state"]
    return [
        alert["id"], state, alert["severity"], alert["namespace"], alert["rule"], age(alert["since"]), alert.get("acknowledgedBy") or "",
        alert["summary"][:120],
    ]  # fmt: skip


@alerts.command("ack")
def acknowledge(context: typer.Context, id: int) -> None:
    """Say that you are on it: its channels are told."""
    alert = Connection(context.obj).post(f"/api/v1/alerts/{id}/acknowledge")
    typer.echo(f"alert {id} ({alert['rule']}) is acknowledged by {alert.get('acknowledgedBy') or 'nobody: it is over'}")


@alerts.command("silence")
def silence(
    context: typer.Context,
    matchers: Annotated[list[str], typer.Argument(help="label=value; all must hold: service=ratings severity=warning")],
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 7d.")] = "1h",
    starts: Annotated[str, typer.Option(help="When it begins: 2026-01-31T22:00:00Z. Without it: now.")] = "",
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Where it holds; '*' everywhere.")] = "default",
    comment: Annotated[str, typer.Option("-m", "--comment", help="Why.")] = "",
) -> None:
    """Plan a maintenance window, or silence alerts now."""
    wanted = dict(word.split("=", 1) for word in matchers if "=" in word)
    if len(wanted) < len(matchers):
        fail(f"{next(w for w in matchers if '=' not in w)!r} is not label=value", USAGE)
    sent = {"namespace": namespace, "matchers": wanted, "duration": for_, "comment": comment, **({"starts": starts} if starts else {})}
    made = Connection(context.obj).post("/api/v1/silences", json=sent)
    typer.echo(f"silence {made['id']} from {made['starts']} until {made['ends']}")


@alerts.command("silences")
def silences(context: typer.Context, namespace: Namespace = "", output: Output = Format.TABLE) -> None:
    """Silences that hold or will."""
    items = Connection(context.obj).get("/api/v1/silences", namespace=namespace)["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    rows = [
        [s["id"], s["namespace"], ",".join(f"{k}={v}" for k, v in s["matchers"].items()), s["starts"], s["ends"], s["author"], s["comment"]]
        for s in items
    ]
    table(["ID", "NAMESPACE", "MATCHERS", "STARTS", "ENDS", "BY", "WHY"], rows, nothing="Nothing is silenced.")


@alerts.command("unsilence")
def unsilence(context: typer.Context, id: int) -> None:
    """End a silence now, or cancel one that is planned."""
    Connection(context.obj).call("DELETE", f"/api/v1/silences/{id}")
    typer.echo(f"silence {id} is ended")


@alerts.command("rules")
def rules(context: typer.Context) -> None:
    """The rules and objectives as a Prometheus rule file."""
    typer.echo(Connection(context.obj).text("/api/v1/alert-rules/prometheus"), nl=False)
