"""A rule as evaluation sees it, be it an AlertRule or one burn rate of a ServiceLevelObjective. Pure."""

from dataclasses import dataclass, field
from typing import Any

from meshconsole.core.mesh.hosts import fqdn
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.policies.alert_rule import AlertRule
from meshconsole.core.resources.common import seconds


@dataclass(frozen=True)
class Target:
    """What is watched; empty fields are any."""

    namespace: str = ""
    service: str = ""
    """A full host."""
    workload: str = ""


@dataclass(frozen=True)
class Rule:
    kind: str
    namespace: str
    name: str
    uid: str
    """Of the resource; incidents belong to it, so that one deleted and made again starts anew."""
    condition: str
    """The file in conditions/."""
    spec: Any
    target: Target
    hold: float = 0.0
    """Seconds that the condition must hold before the alert fires."""
    keep: float = 0.0
    """Seconds that it must be over before the alert resolves."""
    flaps: int = 3
    """So many ends make an alert flap …"""
    flap_within: float = 3600.0
    """… within so many seconds;"""
    flap_hold: float = 900.0
    """then it must be over for this long before it resolves."""
    severity: str = "warning"
    labels: dict[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    """`<namespace>/<name>` each."""
    description: str = ""
    runbook: str = ""


def channels(names: list[str], namespace: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name if "/" in name else f"{namespace}/{name}" for name in names))


def of(policy: AlertRule, mesh: MeshConfig) -> Rule | None:
    """None for one that is disabled."""
    spec, meta = policy.spec, policy.metadata
    if spec.disabled:
        return None
    [(condition, said)] = spec.condition.chosen()
    everywhere = meta.namespace == mesh.root_namespace
    return Rule(
        kind="AlertRule",
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid or "",
        condition=condition,
        spec=said,
        target=Target(
            "" if everywhere and not spec.target.workload else meta.namespace,
            fqdn(spec.target.service, meta.namespace, mesh.domain) if spec.target.service else "",
            spec.target.workload,
        ),
        hold=float(seconds(spec.for_)),
        keep=float(seconds(spec.keep_firing_for)),
        flaps=spec.flapping.times,
        flap_within=float(seconds(spec.flapping.within)),
        flap_hold=float(seconds(spec.flapping.hold_for)),
        severity=spec.severity.value,
        labels=dict(spec.labels),
        channels=channels(spec.channels, meta.namespace),
        description=spec.description,
        runbook=spec.runbook,
    )
