"""WorkloadGroup: what the workloads of a group have in common, so that their agents need not say it, and how their health is probed."""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from meshconsole.core.resources.common import Count, Uint32, Whole
from meshconsole.core.resources.endpoints import PORT_NAME
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import label_faults, namespace_fault

from .base import Policy

SERVICES = "meshconsole.io/services"
"""Annotation of the members: the services that they are instances of, separated by commas (Istio has only ServiceEntry.workloadSelector)."""
_HEADER = re.compile(r"[-_A-Za-z0-9]+")
_METHODS = ("httpGet", "tcpSocket", "exec", "grpc")


class GroupMetadata(Model):
    labels: dict[str, str] = Field(default_factory=dict, max_length=256)
    """Labels of every member, beside the template's, which win."""
    annotations: dict[str, str] = Field(default_factory=dict, max_length=256)
    """`meshconsole.io/services: reviews,ratings` makes members instances of these services of the namespace; others are kept for people."""

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for each in self.annotations.get(SERVICES, "").split(",") if (name := each.strip())))


class Template(Model):
    address: str = ""
    """Must be left out: each member's agent brings its own."""
    ports: dict[str, Whole] = Field(default_factory=dict, max_length=128)
    """Port name -> number. The name declares the protocol (`http`, `grpc-api`, `tcp-db`); the agent may say where the application really listens."""
    labels: dict[str, str] = Field(default_factory=dict, max_length=256)
    """Labels of every member: what selectors, subsets and policies look at. They win over what the agent says."""
    network: str = Field(default="", max_length=63)
    """The members' network, where the agent names none."""
    locality: str = Field(default="", max_length=200)
    """`region/zone/sub-zone`, where the agent names none."""
    weight: Uint32 = 0
    """Each member's share of the traffic, where the agent names none. 0 or unset: 1."""
    service_account: str = Field(default="", max_length=253)
    """The members' identity; their join token must be for it. Default: `default`."""


class HttpHeader(Model):
    name: str
    """Letters, digits, `-` and `_`."""
    value: str = ""
    """What it says."""


class HttpGet(Model):
    path: str = ""
    """Default: `/`."""
    port: Whole
    """Where the application listens; of a port of the workload, the agent asks the application behind it."""
    host: str = ""
    """Default: the application's own address (127.0.0.1)."""
    scheme: Literal["", "HTTP", "HTTPS"] = ""
    """`HTTPS`: over TLS, the certificate is not verified. Default: HTTP."""
    http_headers: list[HttpHeader] = Field(default_factory=list)
    """Sent along; `Host` replaces the host."""


class TcpSocket(Model):
    host: str = ""
    """Default: the application's own address (127.0.0.1)."""
    port: Whole
    """Healthy is what accepts a connection here."""


class Exec(Model):
    command: list[str] = Field(default_factory=list)
    """Program and arguments, run without a shell by the agent; exit status 0 is healthy. Hosts must allow it (`--allow-exec-probes`)."""


class Grpc(Model):
    port: Whole
    """Where `grpc.health.v1.Health` is asked."""
    service: str = ""
    """The service asked for; '' is the server as a whole."""


class Probe(Model):
    initial_delay_seconds: Count = 0
    """Before the first probe."""
    timeout_seconds: Count = 0
    """Of each probe. 0 or unset: 1."""
    period_seconds: Count = 0
    """Between probes. 0 or unset: 10."""
    success_threshold: Count = 0
    """Successes in a row after which a member gets requests. 0 or unset: 1."""
    failure_threshold: Count = 0
    """Failures in a row after which it gets none. 0 or unset: 1, as Istio's agent has it (its page says 3)."""
    http_get: HttpGet | None = None
    """Healthy is a status from 200 to 399. One of httpGet, tcpSocket, exec and grpc."""
    tcp_socket: TcpSocket | None = None
    """Healthy is what can be connected to."""
    exec: Exec | None = None
    """Healthy is a command that ends with status 0."""
    grpc: Grpc | None = None
    """Healthy is who answers SERVING (gRPC health checking protocol)."""


class WorkloadGroupSpec(Model):
    metadata: GroupMetadata = Field(default_factory=GroupMetadata)
    """Labels and annotations of every member."""
    template: Template
    """What every member has."""
    probe: Probe | None = None
    """How each member's agent finds out whether its application takes requests. Without it: what the agent's own `--health` says, else always."""


class WorkloadGroup(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "workloadgroups"
    short_names: ClassVar[tuple[str, ...]] = ("wg",)

    spec: WorkloadGroupSpec
    """The group."""

    def check(self) -> Iterator[Message]:
        for problem in (self._members, self._template, self._probe):
            yield from (self.error(path, text) for path, text in problem())

    def _members(self) -> Iterator[tuple[str, str]]:
        metadata = self.spec.metadata
        yield from ((f"spec.metadata.labels.{key}", fault) for key, fault in label_faults(metadata.labels))
        for name in metadata.services:
            if fault := namespace_fault(name):
                yield f"spec.metadata.annotations.{SERVICES}", f"no service can have this name: {fault}"

    def _template(self) -> Iterator[tuple[str, str]]:
        template = self.spec.template
        if template.address:
            yield "spec.template.address", "a group's members bring their own addresses; remove the field"
        yield from ((f"spec.template.labels.{key}", fault) for key, fault in label_faults(template.labels))
        numbers: set[int] = set()
        for name, number in template.ports.items():
            path = f"spec.template.ports.{name}"
            if not PORT_NAME.fullmatch(name):
                yield path, f"port name must be valid: {name!r}"
            if not 0 < number < 65536:
                yield path, "port must be between 1-65535"
            if number in numbers:
                yield path, f"port number cannot be duplicated: {number}"
            numbers.add(number)
        if template.weight > 1_000_000:
            yield "spec.template.weight", f"{template.weight} is more than 1000000"
        if template.service_account and (fault := namespace_fault(template.service_account)):
            yield "spec.template.serviceAccount", fault

    def _probe(self) -> Iterator[tuple[str, str]]:
        probe = self.spec.probe
        if probe is None:
            return
        methods = dict(zip(_METHODS, (probe.http_get, probe.tcp_socket, probe.exec, probe.grpc), strict=True))
        given = [name for name, method in methods.items() if method is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} exclude one another; keep one" if given else "unknown health check method"
            yield "spec.probe", said if given else f"{said}: write one of {', '.join(_METHODS)}"
        for name, method in methods.items():
            if isinstance(method, HttpGet | TcpSocket | Grpc) and not 0 < method.port < 65536:
                yield f"spec.probe.{name}.port", "port must be between 1-65535"
        if probe.exec is not None and not (probe.exec.command and all(probe.exec.command)):
            yield "spec.probe.exec.command", "exec.command is required, and no part of it may be empty"
        if probe.http_get is None:
            return
        path = probe.http_get.path
        if not path.isprintable() or " " in path:
            yield "spec.probe.httpGet.path", "must be a path, without spaces and control characters"
        for n, header in enumerate(probe.http_get.http_headers):
            if not _HEADER.fullmatch(header.name):
                yield f"spec.probe.httpGet.httpHeaders[{n}].name", f"{header.name!r} must be letters, digits, '-' and '_'"
            if not header.value.isprintable():
                yield f"spec.probe.httpGet.httpHeaders[{n}].value", "may not have control characters"
