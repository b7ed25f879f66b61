"""`meshconsole logs`: the mesh's access logs, as they were or as they come."""

import json
import time
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from .connection import Connection
from .output import Format, Output, data, table

EVERY = 1.0
LATE = 5.0
"""Seconds by which a record may come after a younger one: of another web process of the console."""


def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Only proxies of this namespace.")] = "",
    workload: Annotated[str, typer.Option("--workload", help="name or namespace/name, at either end.")] = "",
    service: Annotated[str, typer.Option("--service", help="Called service.")] = "",
    code: Annotated[str, typer.Option("--code", help="503, 5xx, '>=400'")] = "",
    flag: Annotated[str, typer.Option("--flag", help="A response flag of Envoy's: UF, UH, NR …")] = "",
    policy: Annotated[str, typer.Option("--policy", help="namespace/name of a policy that acted, denied, or would have denied.")] = "",
    trace: Annotated[str, typer.Option("--trace", help="A trace id.")] = "",
    path: Annotated[str, typer.Option("--path", help="A part of the path.")] = "",
    reporter: Annotated[str, typer.Option("--reporter", help="source or destination.")] = "",
    denied: Annotated[bool, typer.Option("--denied", help="Only what was denied.")] = False,
    window: Annotated[str, typer.Option("--window", help="5m, 1h, 2d")] = "1h",
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 100,
    output: Output = Format.TABLE,
) -> None:
    """Requests that failed, were slow, or belong to the sample: as the proxies on their way saw them."""
    console = Connection(context.obj)
    asked = {
        "namespace": namespace, "workload": workload, "service": service, "code": code, "flag": flag, "policy": policy, "trace": trace,
        "path": path, "reporter": reporter, "denied": "1" if denied else "", "window": window,
    }  # fmt: skip
    items = _items(console, asked, limit=limit)
    if not follow:
        if output == Format.TABLE:
            table(COLUMNS, [row(i) for i in items], nothing=f"Nothing in the last {window}.")
        else:
            data(items, output)
        return
    seen: dict[int, float] = {}
    try:
        while True:
            now = time.monotonic()
            for item in items:
                if item["id"] not in seen:
                    seen[item["id"]] = now
                    typer.echo(json.dumps(item, ensure_ascii=False) if output == Format.JSON else line(item))
            after = max((id for id, at in seen.items() if at < now - LATE), default=0)
            seen = {id: at for id, at in seen.items() if id >= after}
            time.sleep(EVERY)
            items = _items(console, asked, limit=1000, after=after)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def denials(
    context: typer.Context,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Only what proxies of this namespace denied.")] = "",
    workload: Annotated[str, typer.Option("--workload", help="name or namespace/name, at either end.")] = "",
    service: Annotated[str, typer.Option("--service", help="Called service.")] = "",
    policy: Annotated[str, typer.Option("--policy", help="namespace/name of the policy that denies.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What dry-run policies would have denied.")] = False,
    window: Annotated[str, typer.Option("--window", help="5m, 1h, 2d")] = "1h",
    output: Output = Format.TABLE,
) -> None:
    """Who was denied what, by which policy and rule."""
    found = Connection(context.obj).get(
        "/api/v1/denials",
        namespace=namespace,
        workload=workload,
        service=service,
        policy=policy,
        dryRun="1" if dry_run else "",
        window=window,
    )
    if output != Format.TABLE:
        data(found, output)
        return
    rows = [
        [
            f"{'≥ ' if found['more'] else ''}{i['count']}",
            i["caller"],
            i["target"],
            f"{i['method']} {i['path']}".strip() or "TCP",
            i["words"],
            _time(i["last"]),
        ]
        for i in found["items"]
    ]
    nothing = "Nothing would have been denied" if dry_run else "Nothing was denied"
    table(["COUNT", "CALLER", "CALLED", "REQUEST", "WHY", "LAST"], rows, nothing=f"{nothing} in the last {window}.")


def _items(console: Connection, asked: dict[str, str], **more: int) -> list[dict[str, Any]]:
    """Oldest first."""
    query = {key: said for key, said in asked.items() if said} | {key: str(value) for key, value in more.items()}
    return list(reversed(console.get(f"/api/v1/logs?{urlencode(query)}")["items"]))


COLUMNS = ["TIME", "REPORTER", "FROM", "TO", "CODE", "FLAGS", "MS", "REQUEST", "WHY"]


def row(item: dict[str, Any]) -> list[Any]:
    here, there = (
        f"{item['namespace']}/{item['workload']}",
        f"{item['peerNamespace']}/{item['peer']}" if item["peer"] else item.get("client", ""),
    )
    outbound = item["reporter"] == "source"
    source, target = (here, there if item["peer"] else item["service"]) if outbound else (there, here)
    request = f"{item.get('method', '')} {item.get('authority', '')}{item.get('path', '')}".strip()
    why = item["words"] or [f"{p['kind']} {p['namespace']}/{p['name']}" for p in item["policies"]]
    return [_time(item["at"]), item["reporter"], source, target, item["code"] or "-", ",".join(item["flags"]), item["durationMs"],
            request or item["protocol"], "; ".join(why)]  # fmt: skip


def line(item: dict[str, Any]) -> str:
    cells = ["-" if c in ("", None) else str(c) for c in row(item)]
    return "  ".join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cell) for cell in cells)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
