"""IST0175 the keys of a token's issuer may be fetched from private addresses: who writes the policy says which (Istio: BLOCKED_CIDRS_IN_JWKS_URIS)."""

from collections.abc import Iterator

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    if not scene.mesh.private_keysets:
        return
    for policy in scene.of("RequestAuthentication"):
        for i, rule in enumerate(policy.spec.jwt_rules):
            if rule.jwks_uri:
                text = "The console fetches keys from private addresses, too (JWKS_ALLOW_PRIVATE): who writes this policy can make it call there."
                yield finding(Level.WARNING, "IST0175", policy, f"spec.jwtRules[{i}].jwksUri", text)
