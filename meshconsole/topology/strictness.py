"""Mutual TLS as it is demanded and as it is spoken, per workload; and whom a policy that demands more of it would cut off."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from meshconsole.configstore import mesh, store
from meshconsole.core.envoy.draft import MtlsMode
from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.policies.base import Policy
from meshconsole.core.policies.peer_authentication import PeerAuthentication, effective
from meshconsole.core.resources.messages import Key, Level, Message
from meshconsole.discovery import registry
from telemetry import query

from .plaintext import Inbound, inbound

LOOKED_AT = 24 * 3600
"""Seconds of traffic that a change to STRICT is judged by: a nightly job counts too."""
NAMED = 3
_QUIET = Inbound(0, 0, ())


@dataclass(frozen=True)
class Demand:
    """What a workload demands of its callers, and what came."""

    namespace: str
    name: str
    mode: str
    """STRICT, PERMISSIVE, DISABLE, or `mixed` where its ports differ."""
    ports: tuple[tuple[int, str], ...]
    by: Key | None
    """The PeerAuthentication that says so; None: the default."""
    inbound: Inbound

    @property
    def state(self) -> str:
        """`strict`, `ready` (all that came was mutual TLS), `plaintext`, `quiet` (nothing came: nobody knows) or `disabled`."""
        if self.mode == "STRICT":
            return "strict"
        if self.mode == "DISABLE":
            return "disabled"
        if not self.inbound.secured:
            return "quiet"
        return "plaintext" if self.inbound.plaintext else "ready"


def demands(start: float, end: float, namespaces: Collection[str] | None = None) -> list[Demand]:
    """Of every workload with ports; those with plaintext first. Raises query.Unavailable."""
    root, policies = mesh.config().root_namespace, _stored()
    came = inbound(query.edges(start, end, namespaces))
    found = []
    for workload in registry.workloads():
        if workload.kind is ProxyKind.GATEWAY or not workload.ports or (namespaces is not None and workload.namespace not in namespaces):
            continue
        modes = [(p.number, *effective(policies, workload, p.number, root)) for p in workload.ports]
        names = {mode.name for _, mode, _ in modes}
        by = next((policy.key for _, _, policy in modes if policy is not None), None)
        found.append(
            Demand(
                workload.namespace,
                workload.name,
                names.pop() if len(names) == 1 else "mixed",
                tuple((number, mode.name) for number, mode, _ in modes),
                by,
                came.get((workload.namespace, workload.name), _QUIET),
            )
        )
    return sorted(found, key=lambda d: (-d.inbound.plaintext, d.namespace, d.name))


def warnings(changed: Iterable[Policy], *, removed: Collection[Key] = ()) -> list[Message]:
    """Of policies that are about to be stored: whose callers' plaintext they would refuse, by the traffic of the last day."""
    asked = [p for p in changed if isinstance(p, PeerAuthentication)]
    if not asked and not any(key.kind == "PeerAuthentication" for key in removed):
        return []
    before = _stored()
    stored = {p.key: p for p in before if p.key not in removed}
    for policy in asked:
        stored[policy.key] = policy
    after = sorted(stored.values(), key=lambda p: p.metadata.creation_timestamp or "9999")
    root = mesh.config().root_namespace
    stricter = [w for w in registry.workloads() if _stricter(w, before, after, root)]
    if not stricter:
        return []
    now = time.time()
    try:
        came = inbound(query.edges(now - LOOKED_AT, now, {w.namespace for w in stricter}))
    except query.Unavailable as e:
        return [Message(Level.WARNING, "MSH0201", f"nobody knows who sends plaintext now: {e}", key=p.key) for p in asked[:1]]
    said = []
    for workload in stricter:
        got = came.get((workload.namespace, workload.name), _QUIET)
        if got.plaintext:
            ports = (effective(after, workload, p.number, root)[1] for p in workload.ports)
            by = next((p.key for p in ports if p is not None), None)
            said.append(Message(Level.WARNING, "MSH0201", _sentence(workload, got), key=by, path="spec.mtls.mode"))
    return said


def _sentence(workload: Workload, got: Inbound) -> str:
    named = ", ".join(f"{'callers without a proxy' if name == 'unknown' else name} ({n})" for name, n in got.callers[:NAMED])
    more = f" and {len(got.callers) - NAMED} more" if len(got.callers) > NAMED else ""
    return f"STRICT would refuse {got.plaintext} of {got.secured} requests that {workload.id} got in the last 24 hours in plaintext: from {named}{more}"


def _stricter(workload: Workload, before: list[PeerAuthentication], after: list[PeerAuthentication], root: str) -> bool:
    return any(
        effective(after, workload, p.number, root)[0] is MtlsMode.STRICT
        and effective(before, workload, p.number, root)[0] is not MtlsMode.STRICT
        for p in workload.ports
    )


def _stored() -> list[PeerAuthentication]:
    found = [p for p in store.resources() if isinstance(p, PeerAuthentication)]
    return sorted(found, key=lambda p: (p.metadata.creation_timestamp or "", p.metadata.name))
