"""
The few tags that Envoy counts by, expanded to Istio's labels. Pure.

Envoy looks a series up by its tags at every request, so it gets only what differs between requests. What is the same
for all of them (this workload's own name, app, version) is added here.
"""

from dataclasses import dataclass

from ..protocol import Workload

UNKNOWN = "unknown"
LATEST = "latest"
OVERFLOW = "overflow"
"""The peer of all calls that are beyond the limit, as the console's store names it."""
MOST = 4000
"""Label sets that one agent tells apart; a mesh of 300 services that one workload calls needs some 1,000."""

SERVED = "served"
"""Stands for the service that this workload serves."""

REMOVED = "removed"
"""The tag that names, with commas, the labels that a Telemetry takes away (meshconsole/core/envoy/metric_overrides.py)."""
WHOLE = "whole"
"""A tag of figures that are of a whole cluster."""

Labels = dict[str, str]


@dataclass(frozen=True)
class Peer:
    """One end of a request, as Istio names it."""

    workload: str = UNKNOWN
    namespace: str = UNKNOWN
    app: str = UNKNOWN
    version: str = UNKNOWN
    canonical_service: str = UNKNOWN
    canonical_revision: str = LATEST
    principal: str = UNKNOWN

    def labels(self, end: str) -> Labels:
        return {
            f"{end}_workload": self.workload,
            f"{end}_workload_namespace": self.namespace,
            f"{end}_principal": self.principal,
            f"{end}_app": self.app,
            f"{end}_version": self.version,
            f"{end}_canonical_service": self.canonical_service,
            f"{end}_canonical_revision": self.canonical_revision,
            f"{end}_cluster": UNKNOWN,
        }


def _said(value: str) -> str:
    """'' where Envoy had nothing to say."""
    return "" if value in ("-", UNKNOWN) else value


def own(workload: Workload) -> Peer:
    labels = workload.labels
    app = labels.get("app", "")
    return Peer(
        workload=workload.name,
        namespace=workload.namespace,
        app=app or UNKNOWN,
        version=labels.get("version", UNKNOWN),
        canonical_service=labels.get("service.istio.io/canonical-name") or labels.get("app.kubernetes.io/name") or app or workload.name,
        canonical_revision=labels.get("service.istio.io/canonical-revision")
        or labels.get("app.kubernetes.io/version")
        or labels.get("version")
        or LATEST,
    )


def upstream(peer: str, principal: str) -> Peer:
    """`workload;namespace;app;version;canonical service;canonical revision`, from the endpoint's metadata."""
    parts = [_said(p) for p in _said(peer).split(";")]
    workload, namespace, app, version, service, revision = (*parts, "", "", "", "", "", "")[:6]
    return Peer(
        workload or UNKNOWN,
        namespace or _namespace(principal) or UNKNOWN,
        app or UNKNOWN,
        version or UNKNOWN,
        service or app or workload or UNKNOWN,
        revision or version or LATEST,
        _said(principal) or UNKNOWN,
    )


def downstream(subject: str, principal: str) -> Peer:
    """From the peer's certificate: CN=workload, O=app, OU=version, L=canonical service, ST=canonical revision."""
    names = distinguished_name(_said(subject))
    app, version = names.get("O", ""), names.get("OU", "")
    return Peer(
        names.get("CN") or UNKNOWN,
        _namespace(principal) or UNKNOWN,
        app or UNKNOWN,
        version or UNKNOWN,
        names.get("L") or app or names.get("CN") or UNKNOWN,
        names.get("ST") or version or LATEST,
        _said(principal) or UNKNOWN,
    )


def distinguished_name(text: str) -> dict[str, str]:
    """RFC 2253, as Envoy writes it; the first of each kind."""
    names: dict[str, str] = {}
    part, escaped = "", False
    for char in text + ",":
        if escaped:
            part, escaped = part + char, False
        elif char == "\\":
            escaped = True
        elif char in ",+":
            key, _, value = part.partition("=")
            names.setdefault(key.strip().upper(), value)
            part = ""
        else:
            part += char
    names.pop("", None)
    return names


def _namespace(principal: str) -> str:
    parts = principal.split("/")
    return parts[parts.index("ns") + 1] if "ns" in parts[:-1] else ""


def expand(tags: Labels, own: Peer, principal: str) -> Labels:
    """Istio's labels for what Envoy counted under `tags`; `principal` is our own SPIFFE id."""
    reporter = tags.get("reporter", UNKNOWN)
    peer_principal = _said(tags.get("peer_principal", ""))
    mutual = bool(peer_principal)
    here = Peer(**{**own.__dict__, "principal": principal if mutual and principal else UNKNOWN})
    if reporter == "destination":
        source, destination = downstream(tags.get("peer_subject", ""), peer_principal), here
        security = "mutual_tls" if mutual else "none"
    else:
        source, destination = here, upstream(tags.get("peer", ""), peer_principal)
        security = UNKNOWN  # Istio's answer too: the destination knows
    service, name, namespace = (*[_said(p) for p in _said(tags.get("service", "")).split(";")], "", "", "")[:3]
    told = {
        "reporter": reporter,
        **source.labels("source"),
        **destination.labels("destination"),
        "destination_service": service or UNKNOWN,
        "destination_service_name": name or service or UNKNOWN,
        "destination_service_namespace": namespace or (destination.namespace if service else UNKNOWN),
        "request_protocol": _said(tags.get("request_protocol", "")) or "tcp",
        "response_code": _said(tags.get("response_code", "")) or "0",
        "response_flags": tags.get("response_flags", "-") or "-",
        "grpc_response_status": _said(tags.get("grpc_response_status", "")),
        "connection_security_policy": security,
    }
    if WHOLE in tags:  # neither one call nor one connection: nothing is known of how they ended
        told |= dict.fromkeys(("request_protocol", "response_code", "response_flags", "connection_security_policy"), "")
    return _overridden(told, tags)


_OURS = frozenset(
    (
        "reporter",
        "peer",
        "peer_principal",
        "peer_subject",
        "service",
        "request_protocol",
        "response_code",
        "response_flags",
        "grpc_response_status",
        WHOLE,
        REMOVED,
    )
)
"""Tags that Envoy has by the mesh's own doing (meshconsole/core/envoy/metrics.py)."""


def _overridden(told: Labels, tags: Labels) -> Labels:
    """With the labels that a Telemetry adds, and without those that it takes away."""
    if REMOVED not in tags and _OURS.issuperset(tags):
        return told
    removed = tags.get(REMOVED, "").split(",")
    added = {name: _said(value) or UNKNOWN for name, value in tags.items() if name not in _OURS}
    return {name: value for name, value in (told | added).items() if name not in removed}


def cluster_tags(cluster: str) -> Labels:
    """What is known of a call by its cluster alone, `outbound|<port>|<subset>|<host>` or `inbound|<port>||`: the service, but no peer."""
    direction, _, _, host = (*cluster.split("|", 3), "", "", "")[:4]
    if direction == "inbound":
        return {"reporter": "destination", "service": SERVED, WHOLE: "1"}
    name, namespace, svc = (*host.split(".", 3), "", "")[:3]
    return {"reporter": "source", "service": f"{host};{name};{namespace}" if svc == "svc" else f"{host};{host};", WHOLE: "1"}


class Bounded:
    """
    The first so many label sets keep their names; the others are counted together, so that no sum is wrong.

    Who is in stays in, and who is out stays out: a total that others join or leave would look to Prometheus like a reset.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._in: set[tuple[str, ...]] = set()
        self._out: set[tuple[str, ...]] = set()

    def admit(self, labels: Labels) -> Labels:
        key = tuple(labels.values())
        if key in self._in:
            return labels
        if key not in self._out:
            if len(self._in) < self._most:
                self._in.add(key)
                return labels
            self._out.add(key)
        return overflow(labels)

    @property
    def known(self) -> int:
        return len(self._in)

    @property
    def overflowed(self) -> int:
        return len(self._out)


_KEPT = frozenset({"reporter", "request_protocol", "response_code", "connection_security_policy"})


def overflow(labels: Labels) -> Labels:
    """This side's names stay, the peer's become `overflow` (telemetry.labels.overflow)."""
    mine, peer = ("destination_", "source_") if labels["reporter"] == "destination" else ("source_", "destination_")
    said = {n: v if n in _KEPT or (n.startswith(mine) and "_service" not in n) else "" for n, v in labels.items()}
    return said | {f"{peer}workload": OVERFLOW}
