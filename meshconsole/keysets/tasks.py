"""What the worker finds here: `keysets.refresh`."""

from .refreshing import refresh

__all__ = ["refresh"]
