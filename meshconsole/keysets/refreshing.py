"""When keys are fetched: at once after a policy that needs new ones, and again every 20 minutes. Running it twice is harmless."""

import datetime
import logging
import threading

from celery import shared_task
from django.db import DatabaseError, close_old_connections, transaction
from django.db.models import Q
from django.utils import timezone

from meshconsole.configstore import store
from meshconsole.configstore.models import Change
from meshconsole.core.policies.request_authentication import RequestAuthentication
from meshconsole.core.resources.common import seconds

from . import asking, signals
from .models import KeySet

log = logging.getLogger(__name__)

EVERY = datetime.timedelta(minutes=20)
"""Istio's (PILOT_JWT_PUB_KEY_REFRESH_INTERVAL)."""
AGAIN = datetime.timedelta(seconds=30)
"""After a failure."""


def needed() -> set[str]:
    return {uri for policy in store.resources() for _, uri in policy.fetches()}


def patience() -> dict[str, float]:
    """URI -> seconds to wait for it: the longest that a rule grants."""
    found: dict[str, float] = {}
    for policy in store.resources():
        for rule in policy.spec.jwt_rules if isinstance(policy, RequestAuthentication) else ():
            if rule.jwks_uri and rule.timeout is not None:
                found[rule.jwks_uri] = max(found.get(rule.jwks_uri, 0.0), float(seconds(rule.timeout)))
    return found


@shared_task(name="keysets.refresh")
def refresh(now: datetime.datetime | None = None) -> list[str]:
    """Fetch what is due, forget what nobody needs; the URIs that were asked."""
    now = now or timezone.now()
    wanted = needed()
    KeySet.objects.exclude(uri__in=wanted).delete()
    fresh = Q(error="", tried__gt=now - EVERY) | Q(tried__gt=now - AGAIN)
    known = set(KeySet.objects.filter(fresh).values_list("uri", flat=True))
    due = sorted(wanted - known)
    waits = patience() if due else {}
    for uri in due:
        fetch(uri, now, waits.get(uri, asking.TIMEOUT))
    return due


def fetch(uri: str, now: datetime.datetime, timeout: float = asking.TIMEOUT) -> None:
    try:
        keys, error = asking.keys(uri, timeout), ""
    except asking.Unavailable as e:
        keys, error = "", str(e)[:1000]
        log.warning("The keys at %s could not be fetched, the last ones stay: %s", uri, error)
    with transaction.atomic():
        row, _ = KeySet.objects.get_or_create(uri=uri)
        changed = bool(keys) and keys != row.keys
        row.tried, row.error = now, error
        if keys:
            row.keys, row.fetched = keys, now
        row.save()
        if changed:
            transaction.on_commit(lambda: signals.changed.send(None, uri=uri))


def after(revision: int) -> None:
    """Has the revision to do with keys? They are fetched beside, so that nobody's apply waits for another server."""
    if Change.objects.filter(revision_id=revision, kind="RequestAuthentication", after__isnull=False).exists():
        threading.Thread(target=_beside, name="keysets", daemon=True).start()


def _beside() -> None:
    try:
        refresh()
    except DatabaseError as e:
        log.warning("Keys are fetched later (%s)", e)
    finally:
        close_old_connections()
        from django.db import connection

        connection.close()
