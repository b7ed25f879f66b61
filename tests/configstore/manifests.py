"""Resources for tests of the store: small, valid, and easy to tell apart."""

from meshconsole.core.policies import parse
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Key

NETWORKING = "networking.istio.io"


def route(
    name: str = "reviews", *, to: str = "reviews", namespace: str = "default", timeout: str = "", labels: str = "", version: str = ""
) -> str:
    """A VirtualService of `name` that sends everything to `to`."""
    lines = [
        "apiVersion: networking.istio.io/v1",
        "kind: VirtualService",
        f"metadata: {{name: {name}, namespace: {namespace}{', labels: {' + labels + '}' if labels else ''}"
        f"{', resourceVersion: ' + repr(version) if version else ''}}}",
        "spec:",
        f"  hosts: [{name}.example.com]",
        "  http:",
        f"  - route: [{{destination: {{host: {to}.example.com}}}}]",
    ]
    return "\n".join([*lines, *([f"    timeout: {timeout}"] if timeout else [])]) + "\n"


def parsed(*texts: str) -> list[Policy]:
    return parse("---\n".join(texts))[0]


def key(name: str = "reviews", namespace: str = "default") -> Key:
    return Key(NETWORKING, "VirtualService", namespace, name)
