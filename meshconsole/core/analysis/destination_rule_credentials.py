"""IST0101 a DestinationRule names a credential that is not there, IST0161 one that lacks what is needed: its host has no endpoints until it has."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.mesh.model import ProxyKind
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    secrets = {(secret.metadata.namespace, secret.metadata.name): secret.credential() for secret in scene.of("Secret")}
    if not secrets and not scene.knows_workloads:
        return  # only files are looked at, and Secrets are mostly kept apart from them
    gateways = sorted({w.namespace for w in scene.workloads if w.kind is ProxyKind.GATEWAY})
    for rule in scene.of("DestinationRule"):
        # Of the proxy's namespace: a selected sidecar's is the rule's; without a selector it is the gateways'.
        own = [rule.metadata.namespace]
        namespaces = own if rule.spec.workload_selector else gateways or own
        for path, tls in _all_tls(rule.spec):
            for namespace in namespaces if tls.credential_name else ():
                if (found := _fault(tls, namespace, secrets)) is not None:
                    yield finding(Level.WARNING, found[0], rule, f"{path}.tls.credentialName", found[1])


def _all_tls(spec: Any) -> Iterator[tuple[str, Any]]:
    levels = [("spec.trafficPolicy", spec.traffic_policy)]
    levels += [(f"spec.subsets[{n}].trafficPolicy", subset.traffic_policy) for n, subset in enumerate(spec.subsets)]
    for path, policy in levels:
        if policy is None:
            continue
        if policy.tls is not None:
            yield path, policy.tls
        for n, port in enumerate(policy.port_level_settings):
            if port.tls is not None:
                yield f"{path}.portLevelSettings[{n}]", port.tls


def _fault(tls: Any, namespace: str, secrets: dict[tuple[str, str], Any]) -> tuple[str, str] | None:
    name = tls.credential_name
    held = secrets.get((namespace, name))
    roots = [secrets[namespace, each] for each in (f"{name}-cacert", name) if (namespace, each) in secrets]
    if held is None and (tls.mode == "MUTUAL" or not roots):
        return "IST0101", f'Referenced credential not found: "{namespace}/{name}"'
    if tls.mode == "MUTUAL" and held is not None and not (held.chain and held.key):
        return "IST0161", f"The credential {name} in namespace {namespace} holds no certificate with its key"
    if not tls.insecure_skip_verify and not any(each.roots for each in roots):
        return (
            "IST0161",
            f"The credential {name} in namespace {namespace} holds no CA certificates (ca.crt) for servers, nor does {name}-cacert",
        )
    return None
