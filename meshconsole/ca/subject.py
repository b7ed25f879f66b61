"""
The certificate's subject: the workload's facts, so that who calls is proven and not merely said.

CN workload, O app, OU version, L canonical service, ST canonical revision; what is not known is left out. Envoy hands the subject to its
metrics (`%DOWNSTREAM_PEER_SUBJECT%`), and the agent splits it into Istio's source labels. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

_OIDS = {
    "workload": NameOID.COMMON_NAME,
    "app": NameOID.ORGANIZATION_NAME,
    "version": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "service": NameOID.LOCALITY_NAME,
    "revision": NameOID.STATE_OR_PROVINCE_NAME,
}
_LONGEST = {"workload": 64, "app": 64, "version": 64, "service": 128, "revision": 128}
"""X.520's upper bounds, which strict parsers hold."""


@dataclass(frozen=True)
class Subject:
    workload: str
    app: str = ""
    version: str = ""
    service: str = ""
    revision: str = ""

    @classmethod
    def of(cls, workload: str, labels: Mapping[str, str]) -> "Subject":
        """Istio's choice of labels (pkg/model: GetAppAndVersion, canonical service)."""
        app = labels.get("app") or labels.get("app.kubernetes.io/name", "")
        version = labels.get("version") or labels.get("app.kubernetes.io/version", "")
        return cls(
            workload,
            app,
            version,
            labels.get("service.istio.io/canonical-name") or app or workload,
            labels.get("service.istio.io/canonical-revision") or version or "latest",
        )

    def facts(self) -> dict[str, str]:
        """As written: cut to what X.520 allows, empty ones left out."""
        return {field: value for field, limit in _LONGEST.items() if (value := _printable(getattr(self, field))[:limit])}

    def name(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(_OIDS[field], value) for field, value in self.facts().items()])


def _printable(value: str) -> str:
    """No control characters, and none that RFC 2253 would escape: the agent splits the printed subject at commas."""
    return "".join(c for c in value if c.isprintable() and c not in ',+"\\<>;=#')
