"""Alerts: rules are evaluated (pure), incidents move by compare-and-set, and every message to the outside waits in an outbox until it is taken."""
