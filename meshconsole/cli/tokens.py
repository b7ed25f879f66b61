"""Commands about keys: API tokens for people's scripts, join tokens for workloads."""

from typing import Annotated

import typer

from .connection import Connection, fail
from .output import Format, Output, age, data, table

api_tokens = typer.Typer(no_args_is_help=True, help="Your API tokens.")
join_tokens = typer.Typer(no_args_is_help=True, help="Join tokens: how a new workload proves that it may be one.")

Words = Annotated[list[str], typer.Option()]


@api_tokens.command("create")
def create_api_token(
    context: typer.Context,
    name: str,
    ttl: Annotated[str, typer.Option(help="90d, 12h …; without it the token lives until it is revoked.")] = "",
    namespace: Annotated[list[str], typer.Option("-n", "--namespace", help="Only there. May be repeated.")] = [],  # noqa: B006
    kind: Annotated[list[str], typer.Option(help="Only for this kind. May be repeated.")] = [],  # noqa: B006
    verb: Annotated[list[str], typer.Option(help="Only get, create, update or delete. May be repeated.")] = [],  # noqa: B006
    output: Output = Format.TABLE,
) -> None:
    """Make a token. It is shown once."""
    sent = {"name": name, "ttl": ttl or None, "namespaces": namespace, "kinds": kind, "verbs": verb}
    answer = Connection(context.obj).post("/api/v1/tokens", json=sent)
    if output == Format.TABLE:
        typer.echo(answer["token"])
    else:
        data(answer, output)


@api_tokens.command("list")
def list_api_tokens(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Yours, with what each may do and when it was last used."""
    items = Connection(context.obj).get("/api/v1/tokens")["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    columns = ["ID", "NAME", "BEGINS WITH", "STATE", "AGE", "LAST USED", "NAMESPACES", "KINDS", "VERBS"]
    table(columns, [[t["id"], t["name"], t["hint"], t["state"], age(t["created"]), _ago(t["lastUsed"]), t["namespaces"] or "all",
                     t["kinds"] or "all", t["verbs"] or "all"] for t in items])  # fmt: skip


def _ago(at: str | None) -> str:
    return f"{age(at)} ago" if at else "never"


@api_tokens.command("revoke")
def revoke_api_token(context: typer.Context, token: Annotated[str, typer.Argument(help="Its id or its name.")]) -> None:
    """End a token at once."""
    console = Connection(context.obj)
    items = console.get("/api/v1/tokens")["items"]
    found = [t for t in items if t["state"] != "revoked" and token in (str(t["id"]), t["name"])]
    if len(found) != 1:
        fail(f"There is no living token {token!r} of yours." if not found else f"{token!r} names several; give its id.")
    console.call("DELETE", f"/api/v1/tokens/{found[0]['id']}")
    typer.echo(f"token {found[0]['name']} revoked")


@join_tokens.command("create")
def create_join_token(
    context: typer.Context,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Of the workload.")] = "default",
    service_account: Annotated[str, typer.Option("--service-account", help="Whose identity the workload gets.")] = "default",
    ttl: Annotated[str, typer.Option(help="How long it may be used.")] = "1h",
    uses: Annotated[int, typer.Option(help="How often it may be used; 0: any number of times.")] = 1,
    output: Output = Format.TABLE,
) -> None:
    """Make a join token. It is shown once."""
    sent = {"namespace": namespace, "serviceAccount": service_account, "ttl": ttl, "uses": uses or None}
    answer = Connection(context.obj).post("/api/v1/join-tokens", json=sent)
    if output == Format.TABLE:
        typer.echo(answer["token"])
    else:
        data(answer, output)


@join_tokens.command("list")
def list_join_tokens(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Those that still let a workload in, and those that did."""
    items = Connection(context.obj).get("/api/v1/join-tokens")["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    columns = ["ID", "NAMESPACE", "SERVICE ACCOUNT", "USES LEFT", "EXPIRES", "BY"]
    table(columns, [[t["id"], t["namespace"], t["serviceAccount"], "any" if t.get("usesLeft") is None else t["usesLeft"], t.get("expires"),
                     t.get("createdBy")] for t in items])  # fmt: skip


@join_tokens.command("revoke")
def revoke_join_token(context: typer.Context, id: int) -> None:
    """Let nobody join by it any more."""
    Connection(context.obj).call("DELETE", f"/api/v1/join-tokens/{id}")
    typer.echo(f"join token {id} revoked")
