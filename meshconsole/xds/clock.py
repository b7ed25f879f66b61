"""
One clock for what several hosts compare: the database's. A hub's host whose clock is wrong is not dead, and buries nobody who lives.

SQLite's file is on one host, whose clock is as good.
"""

import datetime

from django.db import connection
from django.utils import timezone


def read() -> datetime.datetime:
    """Asks the database: from a thread, not from a loop."""
    global _ahead
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime.datetime = cursor.fetchone()[0]
    _ahead = at - timezone.now()
    return at


def now() -> datetime.datetime:
    """The same without asking: as far ahead of this host's as when it was last read, which a hub does at each beat."""
    return timezone.now() + _ahead


_ahead = datetime.timedelta()
