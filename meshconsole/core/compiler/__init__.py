"""Snapshot and proxy in, Envoy's resources out: a pure function, remembered by units."""

from .compiler import Compiler
from .demand import Demand

__all__ = ["Compiler", "Demand"]
