"""IST0101 an AlertRule or a ServiceLevelObjective tells a NotificationChannel that does not exist: its alerts would reach nobody there."""

from collections.abc import Iterator

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    known = {f"{c.metadata.namespace}/{c.metadata.name}" for c in scene.of("NotificationChannel")}
    for kind in ("AlertRule", "ServiceLevelObjective"):
        for policy in scene.of(kind):
            for n, name in enumerate(policy.spec.channels):
                full = name if "/" in name else f"{policy.metadata.namespace}/{name}"
                if full not in known:
                    text = f'Referenced NotificationChannel not found: "{full}"'
                    yield finding(Level.WARNING, "IST0101", policy, f"spec.channels[{n}]", text)
