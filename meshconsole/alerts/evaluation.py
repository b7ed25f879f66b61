"""
From what is found to what becomes of each alert. Pure: `evaluate(rule, findings, standing, now)`.

    (nothing) ─ breached ─▶ pending ─ `for` is over ─▶ firing ─ clear for `keepFiringFor` ─▶ resolved
                               └─ not breached ─▶ dropped

An alert that came and went too often (`flapping`) is held: it resolves only when it has been over for long.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .rule import Rule


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    DROPPED = "dropped"
    """Was pending and never fired: nobody needs to hear of it."""


@dataclass(frozen=True)
class Finding:
    """What a condition says of one instance: a service, a proxy, a burn rate."""

    instance: str
    """Stable: the same thing has the same name at each evaluation."""
    breached: bool
    summary: str
    """A sentence with the figures."""
    value: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """An alert that is open."""

    instance: str
    state: State
    since: datetime
    """When the condition began to hold."""
    clear_since: datetime | None = None
    """Firing, but its condition has not held since then."""
    ended: int = 0
    """How often an alert of the same instance has ended within the rule's `flap_within`."""


@dataclass(frozen=True)
class Next:
    """What an alert becomes. `finding` None: the instance is not there any more."""

    instance: str
    state: State
    since: datetime
    clear_since: datetime | None
    finding: Finding | None
    moved: bool
    """Whether its state or clear_since differ; else only the figures may."""


def evaluate(rule: Rule, findings: Collection[Finding], standing: Mapping[str, Standing], now: datetime) -> list[Next]:
    found = {f.instance: f for f in findings}
    steps = []
    for instance in sorted({*found, *standing}):
        step = _next(rule, found.get(instance), standing.get(instance), now)
        if step is not None:
            steps.append(step)
    return steps


def _next(rule: Rule, finding: Finding | None, before: Standing | None, now: datetime) -> Next | None:
    breached = finding is not None and finding.breached
    if before is None:
        if finding is None or not breached:
            return None
        return Next(finding.instance, State.PENDING if rule.hold > 0 else State.FIRING, now, None, finding, True)

    def to(state: State, clear_since: datetime | None = None) -> Next:
        moved = state is not before.state or clear_since != before.clear_since
        return Next(before.instance, state, before.since, clear_since, finding, moved)

    if before.state is State.PENDING:
        if not breached:
            return to(State.DROPPED)
        return to(State.FIRING if (now - before.since).total_seconds() >= rule.hold else State.PENDING)
    if breached:
        return to(State.FIRING)
    clear_since = before.clear_since or now
    keep = max(rule.keep, rule.flap_hold) if before.ended >= rule.flaps else rule.keep
    over = (now - clear_since).total_seconds() >= keep
    return to(State.RESOLVED if over else State.FIRING, clear_since)
