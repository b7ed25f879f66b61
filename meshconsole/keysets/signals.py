"""News of key sets."""

from django.dispatch import Signal

changed = Signal()
"""`uri: str`. After the commit, in the process that fetched them: the keys are others than before."""
