"""News from the registry."""

from django.dispatch import Signal

changed = Signal()
"""`number: int`. Sent after the commit of a change of workloads, in the process that made it."""
