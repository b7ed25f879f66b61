"""Commands about the mesh's authority, its certificates, and agents that are not trusted any more."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .connection import TIMED_OUT, Connection, fail
from .output import Format, Output, age, data, table

ca = typer.Typer(no_args_is_help=True, help="The certificate authority: its roots, their rotation, one of your own.")
certificates = typer.Typer(no_args_is_help=True, help="Workload certificates.")
agents = typer.Typer(no_args_is_help=True, help="Agents that may not come back.")

API = "/api/v1/ca"
Reason = Annotated[str, typer.Option(help="Kept in the audit log, and told to the agent.")]
Wait = Annotated[bool, typer.Option("--wait", help="Until it signs.")]
Timeout = Annotated[float, typer.Option(help="Seconds that --wait waits.")]


@ca.command()
def status(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Roots and intermediates, where a rotation stands and who it waits for, what ends soon."""
    answer = Connection(context.obj).get(API)
    if output != Format.TABLE:
        data(answer, output)
        return
    rows = []
    for root in answer["roots"]:
        rows.append([f"root {root['generation']}", root["state"], root["source"], root["subject"], root["notAfter"]])
        rows += [[f"  intermediate {i['number']}", i["state"], "", i["subject"], i["notAfter"]] for i in root["intermediates"]]
    table(["AUTHORITY", "STATE", "SOURCE", "SUBJECT", "ENDS"], rows)
    for line in _progress(answer["rotation"]):
        typer.echo(line)
    if answer.get("request"):
        typer.echo(f"request {answer['request']['number']} waits for an offline root: `meshconsole ca adopt --chain FILE`")
    for expiry in answer["expiring"]:
        typer.secho(expiry["sentence"], fg="red" if expiry["urgent"] else "yellow")


def _progress(rotation: dict[str, Any]) -> list[str]:
    said = []
    if rotation["pending"] is not None:
        said.append(f"intermediate {rotation['pending']} is pending: {rotation['believing']} of {rotation['proxies']} proxies believe it")
        said += [f"  waits for {h['proxyId']} ({'connected' if h['connected'] else 'away'})" for h in rotation["waitingFor"]]
    for one in rotation["retiring"]:
        said.append(f"intermediate {one['number']} retires: {one['leaves']} of its certificates are in use")
    return said


@ca.command()
def rotate(
    context: typer.Context,
    intermediate: Annotated[bool, typer.Option("--intermediate", help="Only what signs, below the present root.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take the next step of the rotation under way without waiting for who is away.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Call off the rotation that is pending.")] = False,
    wait: Wait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Begin a rotation: nobody loses a request, and nothing signs before everybody believes it."""
    console = Connection(context.obj)
    if cancel:
        typer.echo(f"rotation of intermediate {console.call('DELETE', f'{API}/rotations')['cancelled']} called off")
        return
    if force:
        typer.echo(f"forced: {', '.join(map(str, console.post(f'{API}/rotations/force')['forced']))}")
        return
    answer = console.post(f"{API}/rotations", json={"what": "intermediate" if intermediate else "root"})
    _begun(console, answer, wait, timeout)


def _begun(console: Connection, answer: dict[str, Any], wait: bool, timeout: float) -> None:
    import time

    typer.echo(f"intermediate {answer['number']} is pending: it signs when every proxy believes it")
    end = time.monotonic() + timeout
    while wait:
        said = console.get(API)
        state = next((i["state"] for r in said["roots"] for i in r["intermediates"] if i["number"] == answer["number"]), "")
        if state != "pending":
            typer.echo(f"intermediate {answer['number']} is {state}")
            return
        if time.monotonic() > end:
            fail("\n".join(["It is still pending.", *_progress(said["rotation"])]), TIMED_OUT)
        time.sleep(0.5)


@ca.command("import")
def import_(
    context: typer.Context,
    chain: Annotated[Path, typer.Option(help="Certificates in PEM: what signs first, the self-signed root last.")],
    key: Annotated[Path, typer.Option(help="The key of the first certificate, PEM.")],
    wait: Wait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Bring your own authority. It becomes a rotation like any other."""
    console = Connection(context.obj)
    _begun(console, console.post(f"{API}/import", json={"chain": _read(chain), "key": _read(key)}), wait, timeout)


@ca.command()
def csr(context: typer.Context) -> None:
    """A certificate request for an offline root to sign. The key stays in the console, encrypted."""
    typer.echo(Connection(context.obj).post(f"{API}/csr")["request"], nl=False)


@ca.command()
def adopt(
    context: typer.Context,
    chain: Annotated[Path, typer.Option(help="What the offline root has signed, and the certificates up to it, PEM.")],
    wait: Wait = False,
    timeout: Timeout = 300.0,
) -> None:
    """Install what an offline root made of the request of `ca csr`."""
    console = Connection(context.obj)
    _begun(console, console.post(f"{API}/adopt", json={"chain": _read(chain)}), wait, timeout)


@ca.command()
def bundle(context: typer.Context) -> None:
    """The roots in PEM, to pin with `proxyagent --ca-file`."""
    typer.echo(Connection(context.obj).get(API)["bundle"], nl=False)


@ca.command()
def reencrypt(context: typer.Context) -> None:
    """Seal the authority's keys with the first secret of the key ring."""
    typer.echo(f"{Connection(context.obj).post(f'{API}/reencryption')['sealed']} keys sealed anew")


@ca.command()
def revoke(context: typer.Context, serial: str, reason: Reason = "") -> None:
    """Revoke a certificate by its serial number."""
    answer = Connection(context.obj).post(f"/api/v1/certificates/{serial.replace(':', '')}/revoke", json={"reason": reason})
    typer.echo(f"certificate {answer['revoked']} of {answer['proxy']} revoked")


@certificates.command("list")
def list_certificates(
    context: typer.Context,
    namespace: Annotated[str, typer.Option("-n", "--namespace")] = "",
    proxy: Annotated[str, typer.Option(help="Only this one's: NAMESPACE/NAME.")] = "",
    all: Annotated[bool, typer.Option("--all", help="Also those that newer ones have replaced.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Whose certificate ends when."""
    items = Connection(context.obj).get("/api/v1/certificates", namespace=namespace, proxy=proxy, current=None if all else "1")["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    columns = ["PROXY", "SERVICE ACCOUNT", "STATE", "AGE", "ENDS", "SERIAL"]
    table(
        columns, [[c["proxyId"], c["serviceAccount"], c["state"], age(c["created"]), c["notAfter"][:19] + "Z", c["serial"]] for c in items]
    )


Name = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")]


@agents.command()
def evict(
    context: typer.Context,
    name: Name,
    reason: Reason = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Also revoke the join tokens of its service account.")] = False,
) -> None:
    """Cut it, revoke its certificates, take its endpoint out, and do not let it back in."""
    namespace, name = _split(name)
    said = {"namespace": namespace, "name": name, "reason": reason, "tokens": tokens}
    answer = Connection(context.obj).post("/api/v1/evictions", json=said)
    typer.echo(f"{answer['evicted']} evicted; {answer['certificates']} certificates revoked")


@agents.command()
def readmit(context: typer.Context, name: Name) -> None:
    """It may join again, with a new join token."""
    typer.echo(f"{Connection(context.obj).call('DELETE', '/api/v1/evictions/' + '/'.join(_split(name)))['readmitted']} readmitted")


@agents.command()
def evicted(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Who may not come back."""
    items = Connection(context.obj).get("/api/v1/evictions")["items"]
    if output != Format.TABLE:
        data(items, output)
        return
    table(["AGENT", "SINCE", "BY", "REASON"], [[e["proxyId"], age(e["at"]), e["by"], e["reason"]] for e in items])


def _split(name: str) -> tuple[str, str]:
    namespace, slash, rest = name.partition("/")
    if not slash:
        return "default", name
    return namespace, rest


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as e:
        fail(f"{path}: {e}")
