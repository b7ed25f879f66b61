"""What ends soon: roots, intermediates, leaves whose agents have not renewed them, and the credentials that gateways serve with."""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cryptography import x509

from meshconsole.configstore import store
from meshconsole.core.policies.secret import Secret

from .authority import BELIEVED
from .models import Intermediate, Issued, State, TrustRoot

ROOT_WARNING = datetime.timedelta(days=365)
INTERMEDIATE_WARNING = datetime.timedelta(days=180)
CREDENTIAL_WARNING = datetime.timedelta(days=30)
URGENT = {"root": datetime.timedelta(days=90), "intermediate": datetime.timedelta(days=30), "credential": datetime.timedelta(days=7)}


@dataclass(frozen=True)
class Expiry:
    kind: str
    """root, intermediate, workload or credential."""
    name: str
    namespace: str
    """Empty: the whole mesh's."""
    not_after: datetime.datetime
    urgent: bool
    sentence: str


def everything(now: datetime.datetime) -> Iterator[tuple[str, str, str, datetime.datetime]]:
    """(kind, name, namespace, end) of all that can end, but workloads."""
    for root in TrustRoot.objects.exclude(state=State.REMOVED):
        yield "root", str(root.generation), "", root.not_after
    for row in Intermediate.objects.filter(state__in=BELIEVED):
        if row.not_after is not None:
            yield "intermediate", str(row.number), "", row.not_after
    for secret in store.resources():
        if isinstance(secret, Secret) and (end := _end(secret)) is not None:
            yield "credential", f"{secret.metadata.namespace}/{secret.metadata.name}", secret.metadata.namespace, end


def expiring(now: datetime.datetime, namespaces: Collection[str] | None = None) -> list[Expiry]:
    """What somebody should see to, the soonest first. `namespaces` None: all; the mesh's own is told to everybody."""
    within = {"root": ROOT_WARNING, "intermediate": INTERMEDIATE_WARNING, "credential": CREDENTIAL_WARNING}
    found = []
    for kind, name, namespace, end in everything(now):
        if end - now < within[kind] and (namespaces is None or not namespace or namespace in namespaces):
            found.append(Expiry(kind, name, namespace, end, end - now < URGENT[kind], _sentence(kind, name, end, now)))
    found += (e for e in _late(now) if namespaces is None or e.namespace in namespaces)
    return sorted(found, key=lambda e: (e.not_after, e.name))


def _sentence(kind: str, name: str, end: datetime.datetime, now: datetime.datetime) -> str:
    verb = "ends" if end > now else "has ended"
    match kind:
        case "root":
            return f"The root certificate {name} {verb} at {end:%Y-%m-%d}; rotate it before then"
        case "intermediate":
            return f"The issuing certificate {name} {verb} at {end:%Y-%m-%d}; rotate it before then"
        case _:
            return f"The certificate in the Secret {name} {verb} at {end:%Y-%m-%d %H:%M} UTC"


def _late(now: datetime.datetime) -> Iterator[Expiry]:
    """Those whose agents should have renewed them: half of the time between renewal and end has passed."""
    newest: dict[str, Issued] = {}
    rows = Issued.objects.filter(not_after__gt=now, revoked=None, given_back=None)
    for row in rows.only("proxy_id", "namespace", "renew_at", "not_after", "created").order_by("created"):
        newest[row.proxy_id] = row
    for proxy_id, row in sorted(newest.items()):
        if now > row.renew_at + (row.not_after - row.renew_at) / 2:
            said = f"The certificate of {proxy_id} ends at {row.not_after:%Y-%m-%d %H:%M:%S} UTC and its agent has not renewed it"
            yield Expiry("workload", proxy_id, row.namespace, row.not_after, True, said)


def _end(secret: Secret) -> datetime.datetime | None:
    """When the first of its certificates ends; None: it holds none that can be read."""
    credential = secret.credential()
    try:
        ends = [
            c.not_valid_after_utc
            for pem in (credential.chain, credential.roots)
            if pem
            for c in x509.load_pem_x509_certificates(pem.encode())
        ]
    except ValueError:
        return None
    return min(ends, default=None)
