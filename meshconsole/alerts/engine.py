"""One evaluation of all rules: read, decide, move. Any number of workers may run it at once; what each decides is compared and set."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from meshconsole.configstore import mesh, store
from meshconsole.core.policies.alert_rule import AlertRule
from meshconsole.slo import queries as slo
from telemetry import query

from . import conditions, incidents, objectives, outbox, rule
from .evaluation import evaluate
from .readings import Readings, gather
from .rule import Rule

log = logging.getLogger(__name__)


def rules() -> list[Rule]:
    config = mesh.config()
    return [r for p in store.resources() if isinstance(p, AlertRule) for r in [rule.of(p, config)] if r is not None]


def objective_rules() -> list[Rule]:
    config = mesh.config()
    return [r for o in slo.objectives() for r in objectives.of(o, config)]


def run(now: datetime) -> int:
    """The AlertRules. How many alerts moved."""
    found = rules()
    moved = 0
    # Rules of states are evaluated even when the figures cannot be had (a Prometheus that is away), and the other way round.
    known = conditions.all_()
    counted = [r for r in found if list(known[r.condition].periods(r.spec))]
    asked = [r for r in found if known[r.condition].query(r.spec) is not None]
    stated = [r for r in found if r not in counted and r not in asked]
    for group in (stated, counted, asked):
        if group:
            moved += _evaluate_all(group, now)
    incidents.end_orphans({(r.uid, r.severity): r for r in found}, {"AlertRule"}, now)
    _tell(now)
    return moved


def run_objectives(now: datetime) -> int:
    """The burn rates of ServiceLevelObjectives: longer windows, less often."""
    found = objective_rules()
    moved = 0
    if found:
        try:
            readings = Readings(now, burns=slo.burns(slo.objectives(), now.timestamp()))
        except query.Unavailable as e:
            log.warning("Objectives are not evaluated: %s", e)
            return 0
        moved = _move_all(found, readings, now)
    incidents.end_orphans({(r.uid, r.severity): r for r in found}, {"ServiceLevelObjective"}, now)
    _tell(now)
    return moved


def _evaluate_all(found: list[Rule], now: datetime) -> int:
    known = conditions.all_()
    used = [known[r.condition] for r in found]
    periods = {p for r in found for p in known[r.condition].periods(r.spec)}
    queries = {q for r in found for q in [known[r.condition].query(r.spec)] if q is not None}
    try:
        readings = gather(
            periods,
            now,
            proxies=any(c.reads_proxies for c in used),
            certificates=any(c.reads_certificates for c in used),
            queries=queries,
        )
    except query.Unavailable as e:
        # Nothing is known: nothing fires and, as important, nothing resolves.
        log.warning("%d alert rules are not evaluated: %s", len(found), e)
        return 0
    known_now = [r for r in found if (q := known[r.condition].query(r.spec)) is None or q in readings.answers]
    return _move_all(known_now, readings, now)


def _move_all(found: Iterable[Rule], readings: Readings, now: datetime) -> int:
    moved = 0
    for each in found:
        try:
            moved += _move(each, readings, now)
        except Exception:  # one rule's fault must not stop the others
            log.exception("%s %s/%s cannot be evaluated", each.kind, each.namespace, each.name)
    return moved


def _move(each: Rule, readings: Readings, now: datetime) -> int:
    found = [replace(f, instance=f.instance[:500]) for f in conditions.all_()[each.condition].findings(each, readings)]
    open_ = incidents.standing(each, now)
    steps = evaluate(each, found, {i: s for i, (s, _) in open_.items()}, now)
    return sum(incidents.perform(each, step, open_[step.instance][1] if step.instance in open_ else None, now) for step in steps)


def _tell(now: datetime) -> None:
    incidents.announce(now)
    outbox.repeat(now)
