"""A workload's newest certificate is about to end: its agent has not renewed it at half of its life."""

from collections.abc import Iterator

from meshconsole.core.policies.alert_rule import CertificateExpiry
from meshconsole.core.resources.common import seconds

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition, span

LAPSED = 86400.0
"""Seconds after its end that a certificate is no alert any more but a workload that is gone."""


class CertificateExpiryCondition(Condition):
    name = "certificate_expiry"
    title = "Certificate expiry"
    reads_certificates = True

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: CertificateExpiry = rule.spec
        target = rule.target
        for c in readings.certificates:
            namespace, _, name = c.proxy_id.partition("/")
            if target.namespace not in ("", namespace) or target.workload not in ("", name):
                continue
            left = (c.not_after - readings.now).total_seconds()
            breached = c.state != "revoked" and -LAPSED < left < float(seconds(spec.within))
            ends = f"ends in {span(int(left) // 60 * 60 or 60)}" if left > 0 else "has ended"
            labels = {"namespace": namespace, "workload": name}
            yield Finding(c.proxy_id, breached, f"The certificate of {c.proxy_id} {ends} ({c.not_after:%Y-%m-%d %H:%M} UTC)", left, labels)
        if target.workload or target.namespace:
            return
        # The mesh's own: a root, an intermediate, a credential. Those are warned of as long before as the certificates page does.
        for e in readings.expiring:
            if e.kind != "workload":
                left = (e.not_after - readings.now).total_seconds()
                yield Finding(f"{e.kind} {e.name}", True, e.sentence, left, {"certificate": e.kind, "name": e.name})


CONDITION = CertificateExpiryCondition()
