"""News from the store."""

from django.dispatch import Signal

committed = Signal()
"""`revision: int`. Sent after the transaction that made the revision has committed, in the process that made it."""

analysing = Signal()
"""Asks the floors above for what else there is: receivers return a sequence of `core.mesh.model.Workload`. No receiver: no workloads."""
