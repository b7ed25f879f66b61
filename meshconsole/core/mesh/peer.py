"""How a workload is named in metrics: the six words that the agent expands to Istio's labels."""

from collections.abc import Mapping

CANONICAL_NAME = "service.istio.io/canonical-name"
CANONICAL_REVISION = "service.istio.io/canonical-revision"


def describe(workload: str, namespace: str, labels: Mapping[str, str]) -> str:
    """`workload;namespace;app;version;canonical service;canonical revision`; what is not known is empty. '' for what is no workload."""
    if not workload:
        return ""
    app = labels.get("app") or labels.get("app.kubernetes.io/name", "")
    version = labels.get("version") or labels.get("app.kubernetes.io/version", "")
    name = labels.get(CANONICAL_NAME) or app or workload
    revision = labels.get(CANONICAL_REVISION) or version or "latest"
    return ";".join((workload, namespace, app, version, name, revision))


def reached(peer: str, service: str) -> str:
    """Of an endpoint: `peer` (describe) with the service that it is reached by (service_words), in nine words. '' for what is no workload."""
    return f"{peer};{service}" if peer else ""


def service_words(host: str, name: str, namespace: str) -> str:
    """`<fqdn>;<short name>;<namespace>`: the `service` tag."""
    return f"{host};{name};{namespace}"
