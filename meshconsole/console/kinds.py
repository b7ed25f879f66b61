"""The kinds of policies as pages name them: plural, icon, what each is for, and one line that says what a policy does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshconsole.core import policies as door
from meshconsole.core.resources.messages import Message

LOOKS: dict[str, tuple[str, str]] = {
    # kind: (icon, what it says)
    "VirtualService": ("route", "Where requests go, and what may happen to them on the way"),
    "DestinationRule": ("split", "How a service is reached: subsets, balancing, connection limits"),
    "Gateway": ("door-open", "What is listened to at the edge of the mesh"),
    "ServiceEntry": ("external-link", "Services outside of the mesh, by name"),
    "Sidecar": ("eye", "What a workload may see and reach"),
    "PeerAuthentication": ("lock", "Whether plaintext is accepted"),
    "AuthorizationPolicy": ("shield-check", "Who may call whom"),
    "RequestAuthentication": ("fingerprint", "Which tokens of end users are believed"),
    "WorkloadEntry": ("server", "A workload without an agent of ours"),
    "WorkloadGroup": ("boxes", "A pattern for workload entries"),
    "EnvoyFilter": ("file-code-2", "Envoy configuration, patched by hand"),
    "RateLimit": ("gauge", "How many requests are let through"),
    "AlertRule": ("triangle-alert", "When somebody is to be told"),
    "NotificationChannel": ("radio", "Who is told, and how"),
    "ServiceLevelObjective": ("badge-check", "How good a service promises to be"),
    "Rollout": ("git-commit-horizontal", "A new version, step by step"),
    "FaultExperiment": ("zap", "A failure on purpose, with an end"),
    "Secret": ("key-round", "Certificates and keys that Gateways name"),
    "MeshConfig": ("sliders-horizontal", "What holds for the whole mesh"),
    "Telemetry": ("activity", "What is measured, traced and logged"),
}


@dataclass(frozen=True)
class Kind:
    group: str
    name: str
    plural: str
    icon: str
    about: str
    version: str = "v1"

    def api_path(self, namespace: str, name: str) -> str:
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/namespaces/{namespace}/{self.plural}/{name}"

    @classmethod
    def named(cls, name: str) -> "Kind":
        return next((of(group, kind) for group, kind in door.KINDS if kind == name), cls("", name, name.lower() + "s", "file-sliders", ""))


def of(group: str, name: str) -> Kind:
    found = door.KINDS.get((group, name))
    icon, about = LOOKS.get(name, ("file-sliders", ""))
    return Kind(group, name, found.plural if found else name.lower() + "s", icon, about, found.versions[0] if found else "v1")


def all_() -> list[Kind]:
    return sorted((of(group, name) for group, name in door.KINDS), key=lambda k: k.name)


def by_plural(plural: str) -> Kind | None:
    return next((k for k in all_() if plural in (k.plural, k.name.lower())), None)


def skeleton(kind: Kind, namespace: str) -> str:
    """The least that one must write of a kind for which there is no example."""
    return f"apiVersion: {kind.group}/{kind.version}\nkind: {kind.name}\nmetadata:\n  name: \n  namespace: {namespace or 'default'}\nspec:\n  \n"


def summary(kind: str, spec: dict[str, Any]) -> str:
    """One line for lists: what this policy is about. Bodies were valid when stored, but may be from a newer version: never raises."""
    try:
        return _SAY[kind](spec) if kind in _SAY else ""
    except (AttributeError, IndexError, KeyError, TypeError):
        return ""


def _hosts(names: list[str]) -> str:
    shown = ", ".join(names[:2])
    return f"{shown} and {len(names) - 2} more" if len(names) > 2 else shown


def _virtual_service(spec: dict[str, Any]) -> str:
    said = []
    for rule in spec.get("http") or []:
        targets = rule.get("route") or []
        if len(targets) > 1:
            said.append(" / ".join(f"{t['destination'].get('subset') or t['destination']['host']} {t.get('weight', 0)} %" for t in targets))
        fault = rule.get("fault") or {}
        if "abort" in fault:
            said.append(f"abort {fault['abort'].get('httpStatus', '')}".strip())
        if "delay" in fault:
            said.append(f"delay {fault['delay'].get('fixedDelay', '')}".strip())
        if rule.get("redirect"):
            said.append("redirect")
        if rule.get("mirror") or rule.get("mirrors"):
            said.append("mirror")
        if rule.get("timeout"):
            said.append(f"timeout {rule['timeout']}")
        if rule.get("retries"):
            said.append(f"{rule['retries'].get('attempts', 2)} retries")
        if any("headers" in m for m in rule.get("match") or []):
            said.append("by header")
    what = ", ".join(dict.fromkeys(said))
    return f"{_hosts(spec.get('hosts') or [])}: {what}" if what else _hosts(spec.get("hosts") or [])


def _destination_rule(spec: dict[str, Any]) -> str:
    said = []
    if subsets := spec.get("subsets"):
        said.append("subsets " + ", ".join(s["name"] for s in subsets))
    policy = spec.get("trafficPolicy") or {}
    said += [word for field, word in _TRAFFIC.items() if field in policy]
    return f"{spec['host']}: {', '.join(said)}" if said else spec["host"]


_TRAFFIC = {"loadBalancer": "balancing", "connectionPool": "connection pool", "outlierDetection": "outlier detection", "tls": "TLS"}


def _gateway(spec: dict[str, Any]) -> str:
    return "; ".join(f"{s['port']['protocol']} {s['port']['number']} for {_hosts(s.get('hosts') or [])}" for s in spec.get("servers") or [])


def _authorization(spec: dict[str, Any]) -> str:
    rules = len(spec.get("rules") or [])
    return f"{spec.get('action', 'ALLOW')}, {rules} rule{'' if rules == 1 else 's'}, {_selected(spec)}"


def _selected(spec: dict[str, Any], field: str = "selector") -> str:
    labels = (spec.get(field) or {}).get("matchLabels") or (spec.get(field) or {}).get("labels") or {}
    return ", ".join(f"{k}={v}" for k, v in labels.items()) or "every workload"


def _alert(spec: dict[str, Any]) -> str:
    condition = ", ".join(spec.get("condition") or {})
    target = spec.get("target") or {}
    return f"{condition} of {', '.join(str(v) for v in target.values()) or 'the mesh'}, {spec.get('severity', 'warning')}"


def _objective(spec: dict[str, Any]) -> str:
    return f"{spec['objective']} % {', '.join(spec.get('indicator') or {})} of {spec['service']} over {spec.get('window', '720h')}"


def _channel(spec: dict[str, Any]) -> str:
    return ", ".join(spec)


def _group(template: dict[str, Any], probe: dict[str, Any]) -> str:
    ports = ", ".join(f"{name} {number}" for name, number in (template.get("ports") or {}).items())
    method = next((name for name in ("httpGet", "tcpSocket", "grpc", "exec") if probe.get(name)), "")
    said = [f"runs as {template.get('serviceAccount') or 'default'}", ports, f"probed by {method}" if method else ""]
    return ", ".join(filter(None, said))


_SAY: dict[str, Callable[[dict[str, Any]], str]] = {
    "AlertRule": _alert,
    "ServiceLevelObjective": _objective,
    "NotificationChannel": _channel,
    "VirtualService": _virtual_service,
    "DestinationRule": _destination_rule,
    "Gateway": _gateway,
    "ServiceEntry": lambda s: f"{_hosts(s['hosts'])}, {s.get('resolution', 'NONE')}",
    "WorkloadGroup": lambda s: _group(s["template"], s.get("probe") or {}),
    "Sidecar": lambda s: f"{_selected(s, 'workloadSelector')} sees {_hosts([h for e in s.get('egress') or [] for h in e['hosts']])}",
    "PeerAuthentication": lambda s: f"{(s.get('mtls') or {}).get('mode', 'UNSET')} for {_selected(s)}",
    "AuthorizationPolicy": _authorization,
}


def _target(spec: dict[str, Any]) -> str:
    return ", ".join(str(v) for v in (spec.get("target") or {}).values()) or "the whole mesh"


_SAY |= {
    "AlertRule": lambda s: f"{', '.join(s['condition'])} of {_target(s)}, {s.get('severity', 'warning')}",
    "ServiceLevelObjective": lambda s: f"{s['service']}: {s['objective']} % {', '.join(s['indicator'])}",
    "NotificationChannel": lambda s: ", ".join(k for k, v in s.items() if isinstance(v, dict)),
    "EnvoyFilter": lambda s: f"{_patches(s)} for {_selected(s, 'workloadSelector')}",
    "ProxyConfig": lambda s: f"{s.get('concurrency', 'default') or 'one for each processor'} threads for {_selected(s)}",
}


def _patches(spec: dict[str, Any]) -> str:
    return (
        ", ".join(dict.fromkeys(f"{each['patch']['operation']} {each['applyTo']}" for each in spec.get("configPatches") or ())) or "nothing"
    )


def document_lines(text: str) -> list[int]:
    """The first line of each document of a YAML file, 1-based, where its content begins."""
    starts, expecting = [], True
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"---(\s|$)", line):
            expecting = True
        elif expecting and line.strip() and not line.lstrip().startswith("#"):
            starts.append(number)
            expecting = False
    return starts or [1]


def line_of(starts: list[int], message: Message) -> int:
    return starts[min(message.document, len(starts) - 1)]
