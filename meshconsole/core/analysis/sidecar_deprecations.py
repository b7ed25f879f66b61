"""IST0002 a Sidecar uses what Istio means to take away."""

from collections.abc import Iterator

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    for sidecar in scene.of("Sidecar"):
        outside = sidecar.spec.outbound_traffic_policy
        if outside is not None and getattr(outside, "egress_proxy", None) is not None:
            text = "using deprecated setting: OutboundTrafficPolicy.EgressProxy; a VirtualService can send hosts to an egress gateway"
            yield finding(Level.WARNING, "IST0002", sidecar, "spec.outboundTrafficPolicy.egressProxy", text)
