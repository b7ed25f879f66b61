"""'There is news of trust': one number that grows with each change which connected proxies must hear of, and the signal of it."""

import time

from django.db import transaction
from django.dispatch import Signal

from .models import TrustHead

changed = Signal()
"""`number: int`. Sent after the commit of a change, in the process that made it."""


def number() -> int:
    return TrustHead.objects.filter(pk=1).values_list("number", flat=True).first() or 0


def lock() -> None:
    """Within a transaction: one change of trust at a time."""
    TrustHead.objects.get_or_create(pk=1)
    TrustHead.objects.select_for_update().get(pk=1)


def bump() -> int:
    """Within the transaction of the change."""
    lock()
    # The time, not a count: a number that a restored backup takes back is not given again to something else.
    found = max(number() + 1, time.time_ns())
    TrustHead.objects.filter(pk=1).update(number=found)
    transaction.on_commit(lambda: changed.send(None, number=found))
    return found
