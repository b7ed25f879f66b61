"""Commands about what is said: apply, diff, analyze, get, delete, rollback, history."""

import time
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any

import typer

from .connection import REFUSED, TIMED_OUT, USAGE, Connection, Settings, fail
from .files import Source, read
from .messages import of_core, show
from .output import Format, Output, age, coloured_diff, data, table
from .watching import Watch, listed

Files = Annotated[list[str], typer.Option("-f", "--filename", help="File, directory, glob, or - for standard input. May be repeated.")]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Namespace.")]
Message = Annotated[str, typer.Option("-m", "--message", help="Why: kept with the revision.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; store nothing.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when every proxy concerned has taken it.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.")]


class Listing(StrEnum):
    """As kubectl has them: `wide` adds columns, `name` prints what another command takes."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"


DONE = {"create": "created", "update": "configured", "delete": "deleted"}


def apply(
    context: typer.Context, filename: Files, dry_run: DryRun = False, wait: Wait = False, timeout: Timeout = 60, message: Message = ""
) -> None:
    """Store resources, all or none."""
    source = read(filename)
    console = Connection(context.obj)
    answer = console.send("/api/v1/apply", source, dryRun=dry_run, message=message)
    show(answer["messages"], source)
    _say(answer)
    for key in answer["unchanged"]:
        typer.echo(f"{_name(key)} unchanged")
    if wait and not dry_run:
        _wait(console, answer["revision"] or answer["latest"], timeout)


def _say(answer: dict[str, Any]) -> None:
    tail = " (dry run)" if answer["dryRun"] else ""
    for change in answer["changes"]:
        typer.echo(f"{_name(change)} {DONE[change['operation']]}{tail}")
    if answer["revision"]:
        typer.echo(f"revision {answer['revision']}")


def _name(key: dict[str, str]) -> str:
    return f"{key['kind'].lower()}.{key['group']}/{key['name']} ({key['namespace']})"


def _wait(console: Connection, revision: int, timeout: float) -> None:
    """Until the proxies have answered. A proxy that is away does not count: it gets the revision when it is back."""
    if not revision:
        return
    begin, pause = time.monotonic(), 0.05
    while True:
        status = console.get(f"/api/v1/revisions/{revision}/status")
        if status["state"] == "programmed":
            typer.echo(f"programmed after {time.monotonic() - begin:.1f} s")
            return
        if status["state"] == "failed":
            for proxy in status.get("proxies", []):
                if proxy.get("error"):
                    typer.secho(f"{proxy.get('id') or proxy.get('name')}: {proxy['error']}", err=True, fg="red")
            fail(f"Revision {revision} was refused by a proxy; what it ran before is still in force there.")
        if time.monotonic() - begin > timeout:
            late = [str(p.get("id") or p.get("name")) for p in status.get("proxies", []) if p.get("state") != "SYNCED"]
            fail(f"Not every proxy has answered after {timeout:g} s: {', '.join(late) or 'unknown'}", TIMED_OUT)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def diff(
    context: typer.Context,
    filename: Files,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 when something differs.")] = False,
) -> None:
    """What applying would change."""
    source = read(filename)
    answer = Connection(context.obj).send("/api/v1/diff", source)
    show(answer["messages"], source)
    for change in answer["changes"]:
        coloured_diff(change["diff"])
    if exit_code and answer["changes"]:
        raise typer.Exit(REFUSED)


def analyze(
    context: typer.Context,
    filename: Annotated[list[str], typer.Option("-f", "--filename", help="File, directory, glob, or -.")] = [],  # noqa: B006
    live: Annotated[bool, typer.Option("--live", help="Amid what the console has stored (so does naming a --server).")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Look for mistakes. Without a console: in these files alone. With one: among its resources too."""
    settings: Settings = context.obj
    source = read(filename) if filename else None
    if live or settings.server:
        console = Connection(settings)
        messages = (console.send("/api/v1/analyze", source) if source else console.get("/api/v1/analyze"))["messages"]
    elif source is None:
        fail("Which files? Give -f FILE; or --live for what the console has stored.", USAGE)
    else:
        messages = _analyze_here(source)
    if output == Format.TABLE:
        show(messages, source, err=False)
        if not messages:
            typer.echo("No mistakes found.")
    else:
        data(messages, output)
    if any(m["level"] == "error" for m in messages):
        raise typer.Exit(REFUSED)


def _analyze_here(source: Source) -> list[dict[str, Any]]:
    from meshconsole.core.policies import readable
    from meshconsole.core.resources.messages import Invalid
    from meshconsole.core.resources.placing import placed

    try:
        policies, messages = readable(source.text)
    except Invalid as e:
        return of_core(e.messages)
    from meshconsole.core.analysis import analyze, beside
    from meshconsole.core.mesh.model import MeshConfig

    return of_core(placed(source.text, [*messages, *beside(messages, analyze(policies, None, MeshConfig()))]))


def get(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="virtualservice, vs, VirtualService …, or all.")],
    name: Annotated[str, typer.Argument()] = "",
    namespace: Namespace = "default",
    everywhere: Annotated[bool, typer.Option("-A", "--all-namespaces")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", help="app=reviews,version!=v1")] = "",
    output: Annotated[Listing, typer.Option("-o", "--output", help="How to print it.")] = Listing.TABLE,
    watch: Watch = False,
) -> None:
    """Stored resources."""
    if watch and output not in (Listing.TABLE, Listing.WIDE):
        fail("--watch prints lines: with -o wide, or without -o.", USAGE)
    params = {"kind": "" if kind == "all" else kind, "namespace": "" if everywhere else namespace, "name": name, "labelSelector": selector}
    console = Connection(context.obj)

    def look() -> list[dict[str, Any]]:
        return console.get("/api/v1/resources", **params)["items"]

    items = look()
    if name and not items:
        fail(f"There is no {kind} {name} in {'any namespace' if everywhere else f'namespace {namespace}'}.")
    if output == Listing.NAME:
        for item in items:
            typer.echo(f"{item['kind'].lower()}.{item['apiVersion'].partition('/')[0]}/{item['metadata']['name']}")
        return
    if output in (Listing.JSON, Listing.YAML):
        form = Format(output.value)
        data(items[0] if name and len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}, form)
        return
    columns = [*(["KIND"] if kind == "all" else []), "NAMESPACE", "NAME", "HOSTS", "PROGRAMMED", "REVISION", "AGE"]
    columns += ["LABELS", "MESSAGE"] if output == Listing.WIDE else []

    looks = chain([items], iter(look, None))

    def rows() -> list[list[Any]]:
        return [_row(item, every_kind=kind == "all", wide=output == Listing.WIDE) for item in next(looks)]

    listed(columns, rows, key=3 if kind == "all" else 2, moving=("AGE",), watch=watch, nothing="No resources found.")


def _row(item: dict[str, Any], *, every_kind: bool, wide: bool) -> list[Any]:
    about = item["metadata"]
    row = [about["namespace"], about["name"], _hosts(item.get("spec") or {}), _condition(item, "status", "Unknown")]
    row += [about["resourceVersion"], age(about["creationTimestamp"])]
    if wide:
        row += [[f"{k}={v}" for k, v in sorted((about.get("labels") or {}).items())], _condition(item, "message", "")]
    return [item["kind"], *row] if every_kind else row


def _hosts(spec: dict[str, Any]) -> Any:
    servers = [h for s in spec.get("servers") or [] for h in s.get("hosts") or []]
    return spec.get("hosts") or spec.get("host") or servers


def _condition(item: dict[str, Any], field: str, otherwise: str) -> str:
    """`field` of the condition Programmed: whether the proxies run it, and what they say."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((c[field] for c in conditions if c["type"] == "Programmed"), otherwise)


def delete(
    context: typer.Context,
    kind: Annotated[str, typer.Argument()] = "",
    names: Annotated[list[str] | None, typer.Argument()] = None,
    filename: Annotated[list[str], typer.Option("-f", "--filename", help="Delete what these files name.")] = [],  # noqa: B006
    namespace: Namespace = "default",
    message: Message = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = 60,
) -> None:
    """Delete resources, all or none."""
    if filename and not kind:
        keys = _keys_in(read(filename))
    elif kind and names and not filename:
        keys = [{"kind": kind, "namespace": namespace, "name": name} for name in names]
    else:
        fail("Name them: `delete KIND NAME…`, or `delete -f FILE`.", USAGE)
    console = Connection(context.obj)
    answer = console.post("/api/v1/delete", json={"resources": keys}, dryRun=dry_run, message=message)
    _say(answer)
    if wait and not dry_run:
        _wait(console, answer["revision"] or answer["latest"], timeout)


def _keys_in(source: Source) -> list[dict[str, str]]:
    from meshconsole.core.policies import parse
    from meshconsole.core.resources.messages import Invalid

    try:
        found, _ = parse(source.text)
    except Invalid as e:
        show(of_core(e.messages), source)
        raise typer.Exit(REFUSED)
    return [{"group": p.key.group, "kind": p.key.kind, "namespace": p.key.namespace, "name": p.key.name} for p in found]


def rollback(
    context: typer.Context,
    kind: Annotated[str, typer.Argument()] = "",
    name: Annotated[str, typer.Argument()] = "",
    to: Annotated[int, typer.Option("--to", help="The revision to go back to: as it was after it.")] = 0,
    revision: Annotated[int, typer.Option("--revision", help="Undo this one revision.")] = 0,
    namespace: Namespace = "default",
    message: Message = "",
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = 60,
) -> None:
    """Go back: one resource (KIND NAME, to what it was before its last change or --to N), one revision undone (--revision N), or all (--to N)."""
    console = Connection(context.obj)
    if kind and name and not revision:
        to = to or _before_last(console, kind, name, namespace)
        sent = {"kind": kind, "namespace": namespace, "name": name, "revision": to, "message": message}
        answer = console.post("/api/v1/rollback", json=sent, dryRun=dry_run)
    elif revision and not kind and not to:
        answer = console.post(f"/api/v1/revisions/{revision}/rollback", dryRun=dry_run, message=message)
    elif to and not kind and not revision:
        answer = console.post(f"/api/v1/revisions/{to}/restore", dryRun=dry_run, message=message)
    else:
        fail("Say one of: `rollback KIND NAME [--to N]`, `rollback --revision N`, `rollback --to N`.", USAGE)
    if dry_run:
        for change in answer["changes"]:
            coloured_diff(change["diff"])
    _say(answer)
    if not answer["changes"]:
        typer.echo("Nothing to change: it is as it was.")
    if wait and not dry_run:
        _wait(console, answer["revision"] or answer["latest"], timeout)


def _before_last(console: Connection, kind: str, name: str, namespace: str) -> int:
    """The revision after which it was what its last change found."""
    items = console.get("/api/v1/history", kind=kind, name=name, namespace=namespace, limit=1)["items"]
    if not items:
        fail(f"There is no history of {kind} {name} in namespace {namespace}.")
    if items[0]["revision"] == 1:
        fail(f"{kind} {name} came with the first revision: there is nothing before it. `delete` takes it away.")
    return int(items[0]["revision"]) - 1


def history(
    context: typer.Context,
    kind: Annotated[str, typer.Argument()] = "",
    name: Annotated[str, typer.Argument()] = "",
    namespace: Namespace = "default",
    limit: Annotated[int, typer.Option(help="How many at most.")] = 20,
    show_diff: Annotated[bool, typer.Option("--diff", help="With what each changed (one resource).")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Revisions, the newest first; of one resource, or of all."""
    console = Connection(context.obj)
    if kind and not name:
        fail("Name the resource too: `history KIND NAME`.", USAGE)
    if kind:
        items = console.get("/api/v1/history", kind=kind, name=name, namespace=namespace, limit=limit)["items"]
        rows = [[i["revision"], age(i["created"]), i["author"], i["door"], i["operation"], i["message"]] for i in items]
    else:
        items = console.get("/api/v1/revisions", limit=limit)["items"]
        rows = [[i["number"], age(i["created"]), i["author"], i["door"], _summary(i["changes"]), i["message"]] for i in items]
    if output != Format.TABLE:
        data(items, output)
        return
    if kind and show_diff:
        for i in items:
            typer.secho(f"revision {i['revision']}, {i['author']}, {age(i['created'])} ago: {i['message'] or '-'}", bold=True)
            coloured_diff(i["diff"])
        return
    table(["REVISION", "AGE", "AUTHOR", "DOOR", "CHANGE", "MESSAGE"], rows, nothing="No revisions yet.")


def _summary(changes: list[dict[str, str]]) -> str:
    first = changes[0]
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return f"{first['operation']} {first['kind']} {first['namespace']}/{first['name']}{more}"
