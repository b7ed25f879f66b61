"""Commands about people, and about what they did: `meshconsole people`, `meshconsole audit`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .connection import REFUSED, Connection, fail
from .output import Format, Output, age, data, table

people = typer.Typer(no_args_is_help=True, help="Who may sign in to the console, and what they may do where.")
audit = typer.Typer(no_args_is_help=True, help="Who did what: the console's audit log.")

Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Where; * is every namespace.")]


def _path(username: str, *rest: str) -> str:
    from urllib.parse import quote

    return "/".join(["/api/v1/people", *(quote(part, safe="@+*") for part in (username, *rest))])


def _roles(person: dict[str, Any]) -> list[str]:
    return [f"{role} of {'all' if namespace == '*' else namespace}" for namespace, role in person["roles"].items()]


@people.command("list")
def list_people(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Everybody, with their roles."""
    items = Connection(context.obj).get("/api/v1/people")["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    rows = [
        [p["username"], p["state"], _roles(p) or "none", p["signsInBy"] + (" + code" if p["secondFactor"] else ""), _ago(p["lastLogin"])]
        for p in items
    ]
    table(["USER NAME", "STATE", "ROLES", "SIGNS IN BY", "LAST SIGNED IN"], rows)


def _ago(at: str | None) -> str:
    return f"{age(at)} ago" if at else "never"


@people.command()
def create(
    context: typer.Context,
    username: str,
    name: Annotated[str, typer.Option()] = "",
    email: Annotated[str, typer.Option()] = "",
    role: Annotated[str, typer.Option(help="viewer, editor or admin")] = "",
    namespace: Namespace = "*",
    output: Output = Format.TABLE,
) -> None:
    """Add somebody. Prints a link by which they set their password, once."""
    sent: dict[str, Any] = {"username": username, "name": name, "email": email, "roles": {namespace: role} if role else {}}
    answer = Connection(context.obj).post("/api/v1/people", json=sent)
    if output == Format.TABLE:
        typer.echo(answer["invitation"])
    else:
        data(answer, output)


@people.command()
def invite(context: typer.Context, username: str) -> None:
    """A link by which somebody sets a new password, once."""
    typer.echo(Connection(context.obj).post(_path(username, "invitation"))["invitation"])


@people.command()
def disable(context: typer.Context, username: str) -> None:
    """Sign somebody out everywhere, and let neither them nor their tokens in again."""
    Connection(context.obj).call("PATCH", _path(username), json={"active": False})
    typer.echo(f"{username} disabled")


@people.command()
def enable(context: typer.Context, username: str) -> None:
    Connection(context.obj).call("PATCH", _path(username), json={"active": True})
    typer.echo(f"{username} enabled")


@people.command()
def grant(
    context: typer.Context, username: str, role: Annotated[str, typer.Argument(help="viewer, editor or admin")], namespace: Namespace
) -> None:  # fmt: skip
    """Give somebody a role in a namespace."""
    Connection(context.obj).call("PUT", _path(username, "roles", namespace), json={"role": role})
    typer.echo(f"{username} is {role} of {'every namespace' if namespace == '*' else namespace}")


@people.command()
def withdraw(context: typer.Context, username: str, namespace: Namespace) -> None:
    """Take somebody's role in a namespace away."""
    Connection(context.obj).call("DELETE", _path(username, "roles", namespace))
    typer.echo(f"{username} has no role in {'every namespace' if namespace == '*' else namespace} any more")


@people.command("sign-out")
def sign_out(context: typer.Context, username: str) -> None:
    """Everywhere."""
    Connection(context.obj).call("DELETE", _path(username, "sessions"))
    typer.echo(f"{username} is signed out everywhere")


@people.command()
def unlock(context: typer.Context, username: str) -> None:
    """Let somebody who has to wait after wrong passwords try again now."""
    lifted = Connection(context.obj).call("DELETE", _path(username, "lockout"))["lifted"]
    typer.echo(f"{username} may try again" if lifted else f"{username} had not to wait")


@people.command("reset-second-factor")
def reset_second_factor(context: typer.Context, username: str) -> None:
    """For who lost the authenticator and the recovery codes."""
    removed = Connection(context.obj).call("DELETE", _path(username, "second-factor"))["removed"]
    typer.echo(f"{username} signs in by password alone" if removed else f"{username} has no second factor")


Who = Annotated[str, typer.Option(help="Only what this person did.")]
Action = Annotated[str, typer.Option(help="Only this: update, grant, sign in …")]
Door = Annotated[str, typer.Option(help="Only through browser, token, cli, ci or system.")]
Object = Annotated[str, typer.Option(help="Only of what has this in its name.")]
In = Annotated[str, typer.Option("-n", "--namespace", help="Only in this namespace.")]
Since = Annotated[str, typer.Option(help="2026-01-31 or 2026-01-31T12:00:00Z")]


@audit.command("list")
def list_entries(
    context: typer.Context, who: Who = "", action: Action = "", door: Door = "", object: Object = "", namespace: In = "", since: Since = "",
    until: Since = "", limit: Annotated[int, typer.Option()] = 50, output: Output = Format.TABLE,
) -> None:  # fmt: skip
    """The newest first."""
    asked = {"who": who, "action": action, "door": door, "object": object, "namespace": namespace, "since": since, "until": until}
    items = Connection(context.obj).get("/api/v1/audit", limit=limit, **asked)["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    table(["NUMBER", "AGE", "WHO", "DOOR", "FROM", "ACTION", "OBJECT"],
          [[e["number"], age(e["at"]), e["who"], e["door"], e["address"], e["action"], e["object"]] for e in items])  # fmt: skip


@audit.command()
def export(
    context: typer.Context, file: Annotated[Path | None, typer.Option("-f", "--file", help="Where to; else the terminal.")] = None,
    who: Who = "", action: Action = "", door: Door = "", object: Object = "", namespace: In = "", since: Since = "", until: Since = "",
) -> None:  # fmt: skip
    """Every entry as a line of JSON, the oldest first."""
    asked = {"who": who, "action": action, "door": door, "object": object, "namespace": namespace, "since": since, "until": until}
    console = Connection(context.obj)
    if file is None:
        for text in console.lines("/api/v1/audit/export", **asked):
            typer.echo(text)
        return
    count = 0
    with file.open("w") as out:
        for text in console.lines("/api/v1/audit/export", **asked):
            out.write(text + "\n")
            count += 1
    typer.echo(f"{count} entries written to {file}", err=True)


@audit.command()
def verify(
    context: typer.Context,
    head: Annotated[str, typer.Option(help="A head that was printed earlier: is it still a part of the log?")] = "",
) -> None:
    """Whether anybody has tampered with the log. Exit status 1 when somebody has."""
    said = Connection(context.obj).get("/api/v1/audit/verify", head=head)
    if said["broken"]:
        fail("\n".join(said["broken"]), REFUSED)
    typer.echo(f"{said['entries']} entries, the chain is whole")
    typer.echo(f"head {said['head']}")
