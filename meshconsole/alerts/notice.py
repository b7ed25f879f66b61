"""What a channel is told, as it was when it happened. Pure; kept as JSON in the outbox."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from meshconsole.grafana import links as grafana_links

EVENTS = ("trigger", "acknowledge", "resolve", "test")


@dataclass(frozen=True)
class Notice:
    event: str
    dedup_key: str
    """One for all messages about one incident."""
    rule: str
    namespace: str
    instance: str
    severity: str
    """critical, error, warning or info."""
    summary: str
    description: str = ""
    runbook: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    since: str = ""
    """RFC 3339."""
    at: str = ""
    """When this happened."""
    by: str = ""
    """Who acknowledged."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Title -> address; the first is the incident's page."""

    @property
    def id(self) -> str:
        """The same at each attempt: what a receiver can tell a second copy by."""
        return hashlib.sha256(f"{self.dedup_key}\0{self.event}\0{self.at}".encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        word = {"trigger": self.severity.upper(), "acknowledge": "ACKNOWLEDGED", "resolve": "RESOLVED", "test": "TEST"}[self.event]
        return f"[{word}] {self.namespace}/{self.rule}"

    @property
    def lines(self) -> list[str]:
        """The text for people."""
        said = [self.summary]
        if self.event == "acknowledge":
            said.append(f"{self.by} is on it.")
        if self.event == "resolve":
            said.append("It is over.")
        if self.description and self.event == "trigger":
            said.append(self.description)
        if self.runbook:
            said.append(f"Runbook: {self.runbook}")
        return said

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "labels": dict(self.labels), "links": dict(self.links)}

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Notice":
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


def dashboard(grafana: str, labels: Mapping[str, str], period: grafana_links.Period | None = None) -> str:
    """Grafana's dashboard of whom an alert is about."""
    namespace, service, workload = (labels.get(name, "") for name in ("namespace", "service", "workload"))
    if service:
        return grafana_links.service(grafana, grafana_links.host(service, namespace), period)
    if workload:
        return grafana_links.workload(grafana, namespace, workload, period)
    return grafana_links.mesh(grafana, period, namespace)


def links(console: str, grafana: str, incident: int | None, labels: Mapping[str, str]) -> dict[str, str]:
    """Where to look: the incident, its service or workload, the topology around it, and Grafana where there is one."""
    console = console.rstrip("/")
    found = {"Alert": f"{console}/alerts/{incident}/" if incident else f"{console}/alerts/"}
    namespace = labels.get("namespace", "")
    about = labels.get("service") or labels.get("workload", "")
    scope = {**({"namespace": namespace} if namespace else {}), **({"find": f"name = {about}"} if about else {})}
    for kind in ("service", "workload"):
        if namespace and labels.get(kind):
            found[kind.capitalize()] = f"{console}/{kind}s/{quote(namespace)}/{quote(labels[kind])}/"
    for kind in ("service", "workload"):
        if labels.get(kind):
            found["Traces"] = (
                f"{console}/traces/?{urlencode({kind: labels[kind], 'errors': '1', **({'namespace': namespace} if namespace else {})})}"
            )
            break
    found["Topology"] = f"{console}/topology/{f'?{urlencode(scope)}' if scope else ''}"
    if grafana:
        found["Grafana"] = dashboard(grafana, labels)
    return found
