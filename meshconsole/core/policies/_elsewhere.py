"""Kinds that people bring and that are not ours: what to say of them besides 'unknown'. A kind that gets a file here leaves this list by itself."""

_ISTIO = frozenset(
    (
        ("extensions.istio.io", "WasmPlugin"),
        ("extensions.istio.io", "TrafficExtension"),
    )
)
_GATEWAY_API = "gateway.networking.k8s.io"
_SERVICES = frozenset(("Service", "Endpoints", "EndpointSlice"))


def advice(group: str, kind: str) -> str:
    """'' for a kind that nobody knows."""
    if (group, kind) in _ISTIO:
        return f"not supported yet: Istio's kind {kind}; leave the document out"
    if group == _GATEWAY_API:
        return f"not supported yet: the Gateway API's {kind}; use Gateway and VirtualService of networking.istio.io/v1"
    if group == "" and kind in _SERVICES:
        return f"{kind} is a kind of Kubernetes; services come from the agents of their workloads, others are declared by a ServiceEntry"
    if group in ("", "apps", "batch", "policy", "autoscaling", "apiextensions.k8s.io") or group.endswith(".k8s.io"):
        return f"{kind} ({group or 'v1'}) is a kind of Kubernetes; leave the document out"
    return ""
