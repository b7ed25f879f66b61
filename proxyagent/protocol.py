"""
Every frame on the WebSocket between an agent and its console.

A frame is one binary WebSocket message: msgpack of one struct below, tagged by its name. Unknown fields
and unknown frames are refused. The agent dials `<console>/agent`; the conversation is

    agent    Hello                      which protocol it speaks, and which workload it stands beside
    console  Challenge | Refused        a nonce to sign; or why not (an older protocol gets `protocol`)
    agent    Join | Prove               a join token and a CSR; or its certificate's serial and a signature
    console  Welcome | Refused          its identity, certificate and trust bundle
    agent    State                      the digest of what Envoy last accepted, and what Envoy has asked for
    console  Push* | ListState          only the differences; `ListState` when the digest is not the expected one

and from then on each side speaks when it has something to say. Retired frame names stay listed in RETIRED.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

PROTOCOL = 1
RETIRED: frozenset[str] = frozenset()
MAX_FRAME = 16 * 1024 * 1024
"""Bytes, from an agent."""
MAX_PUSH = 64 * 1024 * 1024
"""Bytes, from the console: the whole state of a gateway of 10,000 services has some 30 MiB."""

XdsType = Literal["cds", "eds", "lds", "rds", "vhds", "sds", "ecds"]

_V3 = "type.googleapis.com/envoy."
TYPE_URLS: dict[XdsType, str] = {
    "cds": _V3 + "config.cluster.v3.Cluster",
    "eds": _V3 + "config.endpoint.v3.ClusterLoadAssignment",
    "lds": _V3 + "config.listener.v3.Listener",
    "rds": _V3 + "config.route.v3.RouteConfiguration",
    "vhds": _V3 + "config.route.v3.VirtualHost",
    "sds": _V3 + "extensions.transport_sockets.tls.v3.Secret",
    "ecds": _V3 + "config.core.v3.TypedExtensionConfig",
}
OUTBOUND_ROUTES = "outbound"
"""The name of the one outbound route configuration; a virtual host's xDS name is `outbound/<canonical host>:<port>`."""

Versions = Mapping[XdsType, Mapping[str, str]]


class Frame(msgspec.Struct, tag=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """The base of all frames; `tag` is the class's name."""


class WorkloadPort(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """One port of the application: what the mesh calls, and where the application really listens."""

    number: int
    """The port that Envoy's inbound listener binds on the workload's address; the service's port too."""
    name: str = ""
    """Istio's port name, `<protocol>[-suffix]`: it declares the protocol."""
    app_address: str = "127.0.0.1"
    app_port: int = 0
    """Where Envoy finds the application; 0 means `number`."""
    app_protocol: str = ""
    """The protocol, as Kubernetes' Services say it beside the name (`grpc`, `kubernetes.io/h2c`); the name then declares none."""


class Workload(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """What the agent says of the workload (or gateway) beside it."""

    namespace: str
    name: str
    service_account: str = "default"
    kind: Literal["sidecar", "gateway"] = "sidecar"
    address: str = "127.0.0.1"
    """The address at which the mesh reaches it, and on which the inbound listeners bind."""
    services: tuple[str, ...] = ()
    """Short names of the services that it serves, in its own namespace."""
    labels: dict[str, str] = {}
    ports: tuple[WorkloadPort, ...] = ()
    outbound_address: str = "127.0.0.1"
    outbound_port: int = 15001
    locality: str = ""
    """`region/zone/subzone`, as Istio writes it."""
    network: str = ""
    weight: int = 1
    metrics_port: int = 0
    """Where on `address` Prometheus finds its metrics; 0: nowhere."""
    lowest_port: int = 0
    """Below it its Envoy has no right to listen; 0: it may anywhere."""
    group: str = ""
    """The WorkloadGroup of its namespace that says what is not said here: empty strings, weight 0, ports and labels."""


class HttpProbe(msgspec.Struct, tag=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    port: int
    path: str = "/"
    host: str = ""
    """'': the application's own address."""
    tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class TcpProbe(msgspec.Struct, tag=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    port: int
    host: str = ""


class GrpcProbe(msgspec.Struct, tag=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """grpc.health.v1.Health/Check."""

    port: int
    host: str = ""
    service: str = ""


class ExecProbe(msgspec.Struct, tag=True, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    command: tuple[str, ...]


class Probe(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """How an agent finds out whether its application takes requests. Seconds; thresholds count results in a row."""

    how: HttpProbe | TcpProbe | GrpcProbe | ExecProbe
    initial_delay: float = 0.0
    timeout: float = 1.0
    period: float = 10.0
    successes: int = 1
    failures: int = 1


# --- from the agent -------------------------------------------------------------------------------------------------


class Hello(Frame):
    protocol: int
    agent_version: str
    envoy_version: str
    workload: Workload


class Join(Frame):
    """First contact: the token names the identity that it may ask for; the key stays on the host."""

    token: str
    csr: bytes
    """PKCS#10 in DER, signed by the new key; its subject and SANs are ignored but for one rule: a SAN that is not the identity is refused."""


class Prove(Frame):
    """Every later contact: possession of the key whose certificate has this serial."""

    serial: str
    """Lower-case hexadecimal."""
    signature: bytes
    """ECDSA-SHA256 over `proof(challenge.nonce, challenge.console)`."""


class State(Frame):
    digest: str
    """`digest(versions)` of all that Envoy last accepted (and is on the agent's disk)."""
    virtual_hosts: tuple[str, ...] = ()
    """Authorities that Envoy has asked for and not yet been told of, and those learned before: `reviews:9080`."""
    clusters: tuple[str, ...] = ()
    """Names of clusters that Envoy has asked for on demand."""
    settings: str = ""
    """`settings_digest` of the last ProxySettings that it was told; '' where nothing is set."""


class StateList(Frame):
    versions: dict[XdsType, dict[str, str]]
    aliases: dict[str, str] = {}


class Demand(Frame):
    """Envoy asked for what the agent does not hold. Answered by a Push whose aliases name each authority."""

    virtual_hosts: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


class Applied(Frame):
    """The answer to one Push: no error is an ACK; an error is a NACK, and Envoy was led back to what it had before."""

    nonce: int
    errors: dict[XdsType, str] = {}
    """Envoy's own sentence, per type."""


class SignRequest(Frame):
    csr: bytes


class Metrics(Frame):
    """A batch of deltas; (epoch, seq) is stored with it, so that it is counted once however often it is sent."""

    epoch: str
    seq: int
    batch: bytes
    """msgpack of telemetry.samples.Batch."""


class Spans(Frame):
    """What Envoy's tracer reported, as it came: one ExportTraceServiceRequest of OTLP. Not acknowledged: one that is lost is lost."""

    batch: bytes
    dropped: int = 0
    """Bytes of spans that were thrown away since the last frame, the oldest first, while the console was away."""


class Logs(Frame):
    """Access-log records that Envoy selected, as they came: one ExportLogsServiceRequest of OTLP. Not acknowledged."""

    batch: bytes
    dropped: int = 0
    """Bytes of records that were thrown away since the last frame, the oldest first, while the console was away."""


class Health(Frame):
    """The application's health as the agent's own check sees it."""

    healthy: bool
    reason: str = ""


class EnvoyState(Frame):
    """The life of the Envoy beside the agent."""

    running: bool
    restarts: int = 0
    reason: str = ""


class Trusted(Frame):
    """
    Envoy has taken this trust bundle and this certificate (or asks for them when it first needs them). Said after State, and at each
    change: a root signs only after every proxy has said that it believes it.
    """

    bundle: str
    """The first 32 hexadecimal digits of the SHA-256 of the bundle's bytes."""
    serial: str


class Goodbye(Frame):
    """A graceful stop: take the endpoint out now; the agent drains and goes."""

    reason: str = ""


# --- from the console -----------------------------------------------------------------------------------------------


class Challenge(Frame):
    nonce: bytes
    console: str
    """The console's name, bound into the proof."""


class Refused(Frame):
    """The last frame before the console closes."""

    code: Literal["protocol", "token", "identity", "proof", "revoked", "malformed", "busy", "replaced", "group"]
    message: str
    retry: bool = False


class Welcome(Frame):
    proxy_id: str
    """`<namespace>/<name>`: stable over restarts."""
    identity: str
    """The SPIFFE id."""
    trust_bundle: bytes
    """PEM: roots, then, once a certificate was revoked, a CRL of each intermediate. Empty: the one that the agent has is the right one."""
    certificate: bytes = b""
    """PEM chain, leaf first; empty when the one that the agent proved is still the right one."""
    heartbeat: float = 20.0
    """Seconds between WebSocket pings."""
    renew_at: float = 0.0
    """Unix time at which the agent asks for its next certificate (half life with jitter)."""


class Assigned(Frame):
    """To a member of a WorkloadGroup, after each Welcome and when the group changes: what it is, the group's facts included."""

    workload: Workload
    probe: Probe | None = None
    """None: the group has none."""


class ProxySettings(Frame):
    """How Envoy is to be started from now on; what is not said is the agent's own option."""

    concurrency: int | None = None
    """Worker threads; 0: one for each processor."""
    environment: dict[str, str] = {}


class ListState(Frame):
    """Please send a StateList: the digest was not the expected one."""


class Resource(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    name: str
    version: str
    body: bytes
    """The serialised message itself, not an Any."""


class Push(Frame):
    """One delta over all types. The agent applies it make-before-break and answers with one Applied."""

    nonce: int
    resources: dict[XdsType, tuple[Resource, ...]] = {}
    removed: dict[XdsType, tuple[str, ...]] = {}
    aliases: dict[str, str] = {}
    """authority asked for -> name of the virtual host that serves it; '' where nobody knows the host. Additions only; an
    authority whose virtual host is removed is forgotten with it."""


class Certificate(Frame):
    """The answer to a SignRequest, or unasked: a new trust bundle, or a time to renew, or both; `chain` is then empty."""

    trust_bundle: bytes
    """Empty: keep yours."""
    chain: bytes = b""
    renew_at: float = 0.0
    error: str = ""


class MetricsStored(Frame):
    epoch: str
    seq: int
    """All batches of the epoch up to this one are stored."""


FromAgent = (
    Hello
    | Join
    | Prove
    | State
    | StateList
    | Demand
    | Applied
    | SignRequest
    | Metrics
    | Spans
    | Logs
    | Health
    | EnvoyState
    | Trusted
    | Goodbye
)
FromConsole = Challenge | Refused | Welcome | Assigned | ProxySettings | ListState | Push | Certificate | MetricsStored

_encoder = msgspec.msgpack.Encoder()
_from_agent = msgspec.msgpack.Decoder(FromAgent)
_from_console = msgspec.msgpack.Decoder(FromConsole)


class Malformed(ValueError):
    """Bytes that are no frame of this protocol."""


def encode(frame: Frame) -> bytes:
    return _encoder.encode(frame)


def decode_from_agent(data: bytes) -> FromAgent:
    """Raises Malformed."""
    try:
        return _from_agent.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Malformed(str(e)) from e


def decode_from_console(data: bytes) -> FromConsole:
    """Raises Malformed."""
    try:
        return _from_console.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Malformed(str(e)) from e


def digest(versions: Versions) -> str:
    """One short word for a whole configuration: equal on both sides when every name and version is."""
    return digest_of((t, n, v) for t, names in versions.items() for n, v in names.items())


def digest_of(triples: Iterable[tuple[str, str, str]]) -> str:
    """The same from (type, name, version) triples in any order."""
    total = hashlib.sha256()
    for triple in sorted(triples):
        total.update("\0".join(triple).encode() + b"\n")
    return total.hexdigest()[:32]


def settings_digest(settings: ProxySettings) -> str:
    """'' where nothing is set."""
    if settings == ProxySettings():
        return ""
    ordered = msgspec.structs.replace(settings, environment=dict(sorted(settings.environment.items())))
    return hashlib.sha256(_encoder.encode(ordered)).hexdigest()[:16]


def proof(nonce: bytes, console: str) -> bytes:
    """What an agent signs to prove its key: bound to this protocol, this console and this one connection."""
    return b"meshconsole agent proof v1\0" + console.encode() + b"\0" + nonce
