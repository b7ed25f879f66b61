"""The agent beside each Envoy: a tunnel, a cache and a supervisor; it knows nothing about policies."""

__version__ = "0.1.0"
