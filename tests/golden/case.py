"""
One golden case: a folder with `in.yaml` (policies), and what must come of it:

    <proxy>.xds.yaml   each resource that differs from the same mesh without policies, and what is gone (`removed`)
    messages.yaml      what the user is told, where there is something to tell
    mesh.yaml          the mesh, where it is not the default one (tests/golden/mesh.yaml says what it looks like)
    calls.yaml         {proxy: [authority, …]}: what is asked for besides the mesh's own calls

`pytest tests/golden --refresh` writes them anew; read the difference before you commit it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.reporting import AccessLog
from meshconsole.core.envoy.resource_set import Blob, ResourceSet
from meshconsole.core.mesh.model import MeshConfig, Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.mesh.services import declared_protocol
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.resources.messages import Invalid, Level, Message

HERE = Path(__file__).parent


def folders() -> list[Path]:
    return sorted(path.parent for path in HERE.glob("*/*/in.yaml"))


@dataclass(frozen=True)
class Outcome:
    proxies: dict[str, ResourceSet]
    """Whole, as each proxy holds it."""
    files: dict[str, str]
    """Name -> text of every golden file of the case."""


def run(folder: Path) -> Outcome:
    policies, messages = _policies((folder / "in.yaml").read_text())
    own = folder / "mesh.yaml"
    mesh, workloads, calls = load_mesh(own if own.exists() else HERE / "mesh.yaml")
    if (folder / "calls.yaml").exists():
        for name, more in yaml.safe_load((folder / "calls.yaml").read_text()).items():
            calls[name] = [*calls.get(name, []), *more]
    files: dict[str, str] = {}
    proxies: dict[str, ResourceSet] = {}
    plain = mesh
    for policy in policies:
        mesh = policy.onto(mesh) if isinstance(policy, _mesh_config()) else mesh
    if not any(m.level is Level.ERROR for m in messages):
        messages = messages + _findings(policies, workloads, mesh)
        without = _compile(plain, [], workloads, calls)
        proxies = _compile(mesh, policies, workloads, calls)
        for name, text in _differences(without, proxies, whole=not policies).items():
            files[f"{name}.xds.yaml"] = text
    if messages:
        files["messages.yaml"] = _dump([_message(m) for m in messages])
    return Outcome(proxies, files)


def _policies(text: str) -> tuple[list[Any], list[Message]]:
    from meshconsole.core.policies import parse

    if all(line.startswith("#") or not line.strip() for line in text.splitlines()):
        return [], []  # a case of no policy at all
    try:
        return parse(text)
    except Invalid as invalid:
        return [], invalid.messages


def _mesh_config() -> type[Any]:
    from meshconsole.core.policies.mesh_config import MeshConfig as Written

    return Written


def _findings(policies: list[Any], workloads: list[Workload], mesh: MeshConfig) -> list[Message]:
    from meshconsole.core.analysis import analyze

    return list(analyze(policies, workloads, mesh))


def load_mesh(path: Path) -> tuple[MeshConfig, list[Workload], dict[str, list[str]]]:
    data = yaml.safe_load(path.read_text())
    workloads, calls = [], {}
    for each in data["workloads"]:
        each = dict(each)
        name = each["name"]
        calls[name] = each.pop("calls", [])
        gateway = each.get("kind") == "gateway"
        ports = each.pop("ports", [] if gateway else [{"number": 9080, "name": "http"}])
        each["kind"] = ProxyKind(each.get("kind", "sidecar"))
        each["services"] = tuple(each.get("services", ()))
        each.setdefault("outbound_address", each["address"])
        workloads.append(Workload(**{"namespace": "default", **each, "ports": tuple(_port(p) for p in ports)}))
    # Tracing is in every connection manager: only a case that is about it shows it (tests/core/envoy/test_tracing.py knows it).
    said = {"tracing_sampling": 0.0, **data.get("mesh", {})}
    if "access_log" in said:
        said["access_log"] = AccessLog(**said["access_log"])
    return MeshConfig(**said), workloads, calls


def _port(data: dict[str, Any]) -> WorkloadPort:
    name = data.get("name", "")
    protocol = Protocol(data["protocol"]) if "protocol" in data else declared_protocol(name, data["number"])
    return WorkloadPort(data["number"], name, protocol, data.get("app_address", "127.0.0.1"), data.get("app_port", 0))


def _compile(mesh: MeshConfig, policies: list[Any], workloads: list[Workload], calls: dict[str, list[str]]) -> dict[str, ResourceSet]:
    snapshot = Snapshot(mesh, policies, workloads, 1)
    compiler = Compiler()
    return {w.name: compiler.compile(snapshot, w, Demand(frozenset(calls[w.name]))) for w in workloads}


def _differences(without: dict[str, ResourceSet], proxies: dict[str, ResourceSet], *, whole: bool) -> dict[str, str]:
    shown: set[tuple[str, str, str]] = set()
    texts = {}
    for name, resources in proxies.items():
        before = {} if whole else without[name].blobs
        after = resources.blobs
        changed = [b for key, b in after.items() if key not in before or before[key].version != b.version]
        new = [b for b in changed if (b.type, b.name, b.version) not in shown]
        shown |= {(b.type, b.name, b.version) for b in new}
        removed = sorted(f"{key[0]} {key[1]}" for key in before if key not in after)
        document: dict[str, Any] = {}
        for blob in sorted(new, key=lambda b: (b.type, b.name)):
            document.setdefault(str(blob.type), {})[blob.name] = _readable(blob)
        if removed:
            document["removed"] = removed
        if document:
            texts[name] = _dump(document)
    return texts


@cache
def _readable(blob: Blob) -> dict[str, Any]:
    body = _short(wire.parse(blob.type, blob.body))
    if blob.origins:
        body["#origins"] = [str(origin) for origin in blob.origins]
    return body


def _short(value: Any) -> Any:
    """Metrics loggers are the same 100 lines in each filter chain (tests/core/envoy/test_packed.py knows them): here only their name."""
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        return {key: _logs(item) if key == "access_log" else _short(item) for key, item in value.items()}
    return value


_COUNTED = frozenset(("requests_total", "request_duration_milliseconds", "request_bytes", "response_bytes"))
_COUNTED_TCP = frozenset(
    ("tcp_connections_opened_total", "tcp_connections_closed_total", "tcp_received_bytes_total", "tcp_sent_bytes_total")
)


def _logs(loggers: list[dict[str, Any]]) -> list[Any]:
    """By name where they are what they always are; else what is unlike."""
    found: list[Any] = []
    for log in loggers:
        shown: Any = log["name"]
        if shown == "envoy.access_loggers.stats":
            config = log["typed_config"]
            stats = {each["stat"]["name"]: each["stat"]["tags"] for each in (*config.get("counters", ()), *config.get("histograms", ()))}
            unlike = {n: [t for t in tags if t["name"] == "removed" or "%CEL" in t["value_format"]] for n, tags in stats.items()}
            packed = all([t["name"] for t in tags] == ["packed"] for tags in stats.values())
            if not packed and (set(stats) not in (_COUNTED, _COUNTED_TCP) or any(unlike.values())):
                shown = {"name": shown, "#counts": unlike}
        elif shown == "envoy.access_loggers.open_telemetry":
            shown = {"name": shown, "filter": log["filter"]} if "extension_filter" in str(log.get("filter")) else shown
        else:
            shown = log
        if shown not in found:
            found.append(shown)
    return sorted(found, key=str)


def _message(message: Message) -> dict[str, Any]:
    fields = {
        "level": str(message.level),
        "code": message.code,
        "object": str(message.key) if message.key else "",
        "path": message.path,
        "line": message.line,
        "text": message.text,
    }
    return {key: value for key, value in fields.items() if value}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=150, allow_unicode=True)
