"""SPIFFE ids, as Istio writes them: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`."""

from typing import NamedTuple


class Identity(NamedTuple):
    trust_domain: str
    namespace: str
    service_account: str

    def __str__(self) -> str:
        return spiffe_id(*self)


def spiffe_id(trust_domain: str, namespace: str, service_account: str) -> str:
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}"


def parse(uri: str) -> Identity | None:
    """None where `uri` is not of this form."""
    parts = uri.removeprefix("spiffe://").split("/") if uri.startswith("spiffe://") else []
    if len(parts) != 5 or parts[1] != "ns" or parts[3] != "sa" or not all(parts):
        return None
    return Identity(parts[0], parts[2], parts[4])
