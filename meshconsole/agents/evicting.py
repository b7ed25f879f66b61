"""A workload that is not trusted any more: its agent is cut, its certificates are revoked, its endpoint goes, and it may not come back."""

import datetime

from django.db import transaction

from meshconsole.accounts.author import Author
from meshconsole.ca import revoking
from meshconsole.discovery import registry

Unknown = revoking.Unknown


def evict(namespace: str, name: str, author: Author, now: datetime.datetime, reason: str = "", *, tokens: bool = False) -> int:
    """How many certificates were revoked. Every web process hears of it at once, and at the latest with its next look at the database.

    Raises Unknown.
    """
    with transaction.atomic():
        revoked = revoking.evict(namespace, name, author, now, reason, tokens=tokens)
        registry.deregister((namespace, name))
    return revoked


def readmit(namespace: str, name: str, author: Author) -> None:
    """Raises Unknown."""
    revoking.readmit(namespace, name, author)
