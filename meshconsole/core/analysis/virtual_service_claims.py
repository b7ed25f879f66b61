"""IST0149 a VirtualService routes by JWT claims at a gateway for which no RequestAuthentication verifies tokens."""

from collections.abc import Iterator

from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name


def analyze(scene: Scene) -> Iterator[Message]:
    gateways = {full_name(gateway): gateway for gateway in scene.of("Gateway")}
    for service in scene.of("VirtualService"):
        claim = next(service.claims(), None)
        if claim is None:
            continue
        for name in service.gateways:
            if name in gateways and not _is_verified(scene, gateways[name].spec.selector):
                text = (
                    f"The virtual service uses the JWT claim based routing (key: {claim}) without specifying a request authentication "
                    f"policy for gateway {name}."
                )
                yield finding(Level.ERROR, "IST0149", service, "spec.http", text)
                break


def _is_verified(scene: Scene, labels: dict[str, str]) -> bool:
    """Does a RequestAuthentication hold for the gateway's proxies? Told by their labels, which are known before they run."""
    proxies = [(w.namespace, w.labels) for w in scene.selected(labels, None)] or [(scene.mesh.root_namespace, labels)]
    return all(
        any(
            policy.metadata.namespace in (namespace, scene.mesh.root_namespace)
            and not policy.spec.target_refs
            and selects(policy.workload_labels(), borne)
            for policy in scene.of("RequestAuthentication")
        )
        for namespace, borne in proxies
    )
