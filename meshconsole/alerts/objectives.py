"""The rules that every ServiceLevelObjective brings: one per severity of its burn rates. Pure."""

from meshconsole.core.mesh.hosts import fqdn
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.policies.service_level_objective import ServiceLevelObjective

from .rule import Rule, Target, channels

KEEP = 60.0
"""Seconds that a burn must be over: the short window ends it soon enough by itself."""


def of(objective: ServiceLevelObjective, mesh: MeshConfig) -> list[Rule]:
    spec, meta = objective.spec, objective.metadata
    target = Target(meta.namespace, service=fqdn(spec.service, meta.namespace, mesh.domain))
    return [
        Rule(
            kind="ServiceLevelObjective",
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid or "",
            condition="slo_burn",
            spec=objective,
            target=target,
            keep=KEEP,
            severity=severity,
            labels=dict(spec.labels),
            channels=channels(spec.channels, meta.namespace),
            description=spec.description,
        )
        for severity in ("critical", "warning")
    ]
