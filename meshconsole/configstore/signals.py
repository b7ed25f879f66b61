"""News from the store."""

from django.dispatch import Signal

committed = Signal()
"""`revision: int`. Sent after the transaction that made the revision has committed, in the process that made it."""

examining = Signal()
"""Asks what else is to be said of `policies`, which are about to be written: receivers return a sequence of `Message`, warnings and infos."""

analysing = Signal()
"""Asks the floors above for what else there is: receivers return a sequence of `core.mesh.model.Workload`. No receiver: no workloads."""
