"""Taking trust back: one certificate by its serial, or a workload altogether until it is readmitted."""

import datetime
import logging

from django.db import transaction

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author

from . import bundles, heads, keystore
from .models import Eviction, Issued, JoinToken

log = logging.getLogger(__name__)


class Unknown(LookupError):
    """There is nothing of this name to revoke, evict or readmit."""


def revoke(serial: str, author: Author, now: datetime.datetime, reason: str = "") -> Issued:
    """Peers refuse it as soon as they have the next bundle; its agent is cut and needs a new join token. Raises Unknown."""
    with transaction.atomic():
        row = Issued.objects.filter(serial=serial.strip().lower().replace(":", "").lstrip("0")).first()
        if row is None or not _revoke([row.pk], now, reason):
            raise Unknown(f"no certificate {serial} was issued here that could be revoked")
        audit.record(author, "revoke", f"Certificate {row.serial} {row.proxy_id}", reason)
        _tell(now)
    row.refresh_from_db()
    return row


def evict(namespace: str, name: str, author: Author, now: datetime.datetime, reason: str = "", *, tokens: bool = False) -> int:
    """
    It is cut, all its certificates are revoked, and it may not come back under this name until `readmit`. How many certificates.

    `tokens`: also revoke the living join tokens of its namespace and service account, with which its host could come back by another name.
    Raises Unknown.
    """
    proxy_id = f"{namespace}/{name}"
    with transaction.atomic():
        # The audit log's lock comes first: an issue that is under way either has committed, and is revoked below, or sees the eviction.
        entry = audit.record(author, "evict", f"Agent {proxy_id}", reason)
        rows = Issued.objects.filter(proxy_id=proxy_id)
        if Eviction.objects.filter(proxy_id=proxy_id).exists() or not rows.exists():
            raise Unknown(f"{proxy_id} never had a certificate, or is evicted already")
        Eviction.objects.create(proxy_id=proxy_id, namespace=namespace, at=now, by=entry.who, reason=reason[:200])
        living = list(rows.filter(revoked=None, not_after__gt=now - datetime.timedelta(days=366)).values_list("pk", flat=True))
        _revoke(living, now, reason or f"evicted by {author.user}")
        if tokens:
            accounts = set(rows.values_list("service_account", flat=True))
            JoinToken.objects.filter(namespace=namespace, service_account__in=accounts, revoked=None).update(revoked=now)
        _tell(now)
    return len(living)


def readmit(namespace: str, name: str, author: Author) -> None:
    """It may join again, with a new token: its old certificates stay revoked. Raises Unknown."""
    with transaction.atomic():
        if not Eviction.objects.filter(proxy_id=f"{namespace}/{name}").delete()[0]:
            raise Unknown(f"{namespace}/{name} is not evicted")
        audit.record(author, "readmit", f"Agent {namespace}/{name}")
        heads.bump()


def evicted(proxy_id: str) -> Eviction | None:
    return Eviction.objects.filter(proxy_id=proxy_id).first()


def _revoke(ids: list[int], now: datetime.datetime, reason: str) -> int:
    return Issued.objects.filter(pk__in=ids, revoked=None).update(revoked=now, reason=reason[:200])


def _tell(now: datetime.datetime) -> None:
    heads.bump()
    try:
        with transaction.atomic():
            bundles.refresh(now)
    except keystore.Locked as e:  # the agent is cut all the same
        log.error("Revoked, but peers cannot be told: no CRL can be signed: %s", e)
