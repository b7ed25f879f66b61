"""Commands about what there is: proxies and what their Envoys run, and who calls whom."""

from typing import Annotated, Any

import typer

from . import envoy
from .connection import USAGE, Connection, fail
from .output import Format, Output, age, coloured_diff, data, table
from .watching import Watch, listed


def proxy_status(
    context: typer.Context,
    proxy: Annotated[str, typer.Argument(help="namespace/name; without it: all.")] = "",
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Only this namespace.")] = "",
    output: Output = Format.TABLE,
    watch: Watch = False,
) -> None:
    """Whether each proxy runs what it should."""
    if watch and output != Format.TABLE:
        fail("--watch prints lines: without -o.", USAGE)
    console = Connection(context.obj)

    def items() -> list[dict[str, Any]]:
        return [console.get(f"/api/v1/proxies/{_id(proxy)}")] if proxy else console.get("/api/v1/proxies", namespace=namespace)["items"]

    if output != Format.TABLE:
        data(items(), output)
        return
    columns = ["NAME", "CDS", "LDS", "EDS", "RDS", "VHDS", "CONNECTED", "REVISION", "SINCE", "ERROR"]
    listed(columns, lambda: [_row(p) for p in items()], key=1, moving=("SINCE",), watch=watch, nothing="No proxy has joined yet.")


def _row(p: dict[str, Any]) -> list[Any]:
    types = [_type(p, name) for name in ("cds", "lds", "eds", "rds", "vhds")]
    since = age(p.get("since")) if p["connected"] else ""
    return [f"{p['namespace']}/{p['name']}", *types, "yes" if p["connected"] else "no", p.get("syncedRevision"), since, _error(p)]


def _type(proxy: dict[str, Any], name: str) -> str:
    types = proxy.get("types") or {}
    found = types.get(name)
    return (found.get("state") if isinstance(found, dict) else found) or proxy["state"]


def _error(proxy: dict[str, Any]) -> str:
    errors = [proxy.get("error")] + [t.get("error") for t in (proxy.get("types") or {}).values() if isinstance(t, dict)]
    # Of an Envoy that runs, what it says is that something waits for its next start, or that it would not have something.
    return next((e for e in errors if e), "") or proxy.get("warning") or (proxy.get("envoyReason") or "")


def _id(proxy: str) -> str:
    """`name` means one in namespace default; `name.namespace` is istioctl's way."""
    if "/" in proxy:
        return proxy
    name, dot, namespace = proxy.rpartition(".")
    return f"{namespace}/{name}" if dot else f"default/{proxy}"


def proxy_config(
    context: typer.Context,
    proxy: Annotated[str, typer.Argument(help="namespace/name, or name.namespace as istioctl writes it.")],
    what: Annotated[str, typer.Argument(help="clusters, listeners, routes, endpoints or secrets; without it: all.")] = "",
    diff: Annotated[bool, typer.Option("--diff", help="What it should have beside what its Envoy has acknowledged.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """What a proxy's Envoy is to run."""
    if what and _table(proxy):  # istioctl's order: `proxy-config routes reviews-v1`
        proxy, what = what, proxy
    if diff:
        _difference(Connection(context.obj).get(f"/api/v1/proxies/{_id(proxy)}/diff"), what, output)
        return
    wanted = _table(what)
    if what and not wanted:
        fail(f"{what!r} is none of {', '.join(envoy.TABLES)}", USAGE)
    found = Connection(context.obj).get(f"/api/v1/proxies/{_id(proxy)}/config", type=wanted)
    if output != Format.TABLE:
        data(found, output)
        return
    bodies = {name: [entry["body"] for entry in entries] for name, entries in found.items()}
    if wanted in ("", "secrets"):
        bodies["certificate"] = Connection(context.obj).get("/api/v1/certificates", proxy=_id(proxy), current="1")["items"]
    for i, name in enumerate([wanted] if wanted else envoy.TABLES):
        if not wanted:
            typer.secho(f"{'' if i == 0 else chr(10)}{name.upper()}", bold=True)
        columns, make = envoy.TABLES[name]
        columns, rows = envoy.told(columns, make(bodies))
        table(columns, rows, nothing=f"No {name}.")


def _table(word: str) -> str:
    """Of `envoy.TABLES`, in either number; empty when it is none."""
    return next((t for t in envoy.TABLES if word and word in (t, t.removesuffix("s"))), "")


def _difference(found: dict[str, Any], what: str, output: Format) -> None:
    if not found["connected"]:
        fail("Its agent is not connected: what its Envoy holds is not known.")
    types = {"clusters": "cds", "listeners": "lds", "routes": "rds", "endpoints": "eds", "secrets": "sds"}
    wanted = next(({t} | ({"vhds"} if t == "rds" else set()) for name, t in types.items() if what in (name, name.removesuffix("s"))), None)
    items = [i for i in found["items"] if wanted is None or i["type"] in wanted]
    if output != Format.TABLE:
        data(items, output)
        return
    if not items:
        typer.echo("Its Envoy has acknowledged all of it.")
    for item in items:
        typer.secho(f"{item['type'].upper()} {item['name']}: {item['state']}", bold=True)
        coloured_diff(envoy.difference(item))


def topology(
    context: typer.Context,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Only this namespace.")] = "",
    window: Annotated[str, typer.Option("--window", help="60s, 5m, 1h, 7d")] = "60s",
    kind: Annotated[str, typer.Option("--kind", help="workload, versionedApp, app or service")] = "workload",
    at: Annotated[str, typer.Option("--at", help="A moment of the past: 2026-01-31T22:00:00Z.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only what changed since so long before: 1h, 24h, 7d.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Who calls whom: how often, how fast, how well."""
    if since:
        asked = {"window": window, "kind": kind, "namespace": namespace, "at": at, "ago": since}
        _compared(Connection(context.obj).get("/api/v1/topology/comparison", **asked), since, output)
        return
    graph = Connection(context.obj).get("/api/v1/topology", window=window, kind=kind, namespace=namespace, at=at)
    if output != Format.TABLE:
        data(graph, output)
        return
    labels = {n["id"]: n["label"] for n in graph["nodes"]}
    rows = [
        [labels.get(e["source"], e["source"]), labels.get(e["target"], e["target"]), e["protocol"], f"{e['rate']:.3g}/s", f"{e['errorShare']:.1%}",
         *[f"{e[p]:.3g} ms" if e.get(p) is not None else "" for p in ("p50", "p95", "p99")],
         "" if e.get("mtlsShare") is None else f"{e['mtlsShare']:.0%}"]
        for e in graph["edges"]
    ]  # fmt: skip
    columns = ["SOURCE", "TARGET", "PROTOCOL", "RATE", "ERRORS", "P50", "P95", "P99", "MTLS"]
    table(columns, rows, nothing=f"No traffic in the last {window}.")


def _compared(found: dict[str, Any], since: str, output: Format) -> None:
    if output != Format.TABLE:
        data(found, output)
        return

    def moved(edge: dict[str, Any], name: str, form: str) -> str:
        old, new = ((edge[side] or {}).get(name) for side in ("before", "now"))
        return " → ".join("–" if v is None else format(v, form) for v in (old, new))

    rows = [
        [", ".join(e["what"]), e["source"].partition(":")[2], e["target"].partition(":")[2], e["protocol"], moved(e, "rate", ".3g"),
         moved(e, "errorShare", ".1%"), moved(e, "p95", ".3g")]
        for e in found["edges"]
    ]  # fmt: skip
    table(["WHAT", "SOURCE", "TARGET", "PROTOCOL", "RATE /S", "ERRORS", "P95 MS"], rows, nothing=f"No call changed since {since} before.")


def mtls(
    context: typer.Context,
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Only this namespace.")] = "",
    window: Annotated[str, typer.Option("--window", help="1h, 24h, 7d")] = "24h",
    output: Output = Format.TABLE,
) -> None:
    """What each workload demands of its callers, and who still sends plaintext."""
    items = Connection(context.obj).get("/api/v1/mtls", namespace=namespace, window=window)["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    rows = [
        [f"{d['namespace']}/{d['name']}", d["mode"], d["policy"] or "the mesh's default", d["state"],
         "" if d["plaintextShare"] is None else f"{d['plaintextShare']:.1%}", ", ".join(f"{c['name']} ({c['requests']})" for c in d["callers"][:4])]
        for d in items
    ]  # fmt: skip
    table(["WORKLOAD", "MODE", "BY", "STATE", "PLAINTEXT", "FROM"], rows, nothing="No workload has joined yet.")
