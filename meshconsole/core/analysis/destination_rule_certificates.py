"""IST0128, IST0129 a DestinationRule makes TLS connections without saying whom it trusts: the server's certificate is not verified."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    for rule in scene.of("DestinationRule"):
        policy = rule.spec.traffic_policy
        if policy is None:
            continue
        named, host = f"DestinationRule {rule.metadata.name} in namespace {rule.metadata.namespace}", rule.spec.host
        if _unverified(rule, policy.tls):
            yield finding(Level.WARNING, "IST0128", rule, "spec.trafficPolicy.tls", _text(named, policy.tls, host))
        for i, port in enumerate(getattr(policy, "port_level_settings", None) or ()):
            if _unverified(rule, port.tls):
                text = f"{_text(named, port.tls, host)} at port {getattr(port.port, 'number', '')}"
                yield finding(Level.WARNING, "IST0129", rule, f"spec.trafficPolicy.portLevelSettings[{i}].tls", text)


def _text(named: str, tls: Any, host: str) -> str:
    return f"{named} has TLS mode set to {tls.mode} but no caCertificates are set to validate server identity for host: {host}"


def _unverified(rule: Any, tls: Any) -> bool:
    if tls is None or tls.mode not in ("SIMPLE", "MUTUAL") or tls.ca_certificates or tls.insecure_skip_verify:
        return False
    # A named credential is for gateways, or for the workloads that a selector names.
    return not (getattr(tls, "credential_name", "") and getattr(rule.spec, "workload_selector", None))
