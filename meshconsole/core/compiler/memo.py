"""
Units remembered by the content of what they read (constructive traces).

A unit is a pure function of the answers to the questions that it asked. It is stored with them; under a later snapshot the
same questions are asked again, and where every answer is the same its blobs are used again, the same objects. Nothing is
declared by hand: what a unit depends on is what it read.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from meshconsole.core.envoy.resource_set import Blob, Failure, Name
from meshconsole.core.mesh.model import Labels
from meshconsole.core.mesh.snapshot import Question, Snapshot

from .client import label
from .failures import Uncompiled, failure

Key = tuple[Hashable, ...]
MAX_VARIANTS = 64
"""Of one key, for clients whose labels differ."""


class Unit:
    """What was compiled for a key: its value, its blobs, and everything that it read."""

    __slots__ = ("blobs", "failed", "failures", "key", "labels", "questions", "reads", "seen", "token", "used", "value")

    def __init__(
        self,
        key: Key,
        value: Any,
        blobs: tuple[Blob, ...],
        reads: dict[Question, Any],
        used: "dict[Key, Unit]",
        failed: tuple[Failure, ...],
    ):
        self.key = key
        self.value = value
        self.blobs = blobs
        self.reads = reads
        """Its own reads, and (`("unit", key)`, value) of each unit that it used."""
        self.used = used
        self.failed = failed
        """Its own failures."""
        self.questions: frozenset[Question] = frozenset()
        """Questions to the snapshot, those of the units that it used included."""
        self.labels: dict[str, str | None] = {}
        """Labels of the client that were read, and what they were; those of the units that it used included."""
        self.failures: tuple[Failure, ...] = ()
        """Why it, or a unit that it used, stands in its last good state."""
        self.token: object = None
        """The snapshot that it was last found valid for."""
        self.seen = 0

    def traced(self, questions: set[Question], labels: dict[str, str | None]) -> "Unit":
        """With its own questions and labels, and those of the units that it used."""
        for unit in self.used.values():
            questions |= unit.questions
            labels.update(unit.labels)
        self.questions, self.labels = frozenset(questions), labels
        self.failures = tuple(dict.fromkeys((*self.failed, *(each for unit in self.used.values() for each in unit.failures))))
        return self

    def renewed(self, used: "dict[Key, Unit]") -> "Unit":
        """
        The same, where units that it used were compiled anew to the same value. What they read now it has read too: who forgot that would
        take it for valid when that changes, or for a client whose labels make another of them.
        """
        new = Unit(self.key, self.value, self.blobs, self.reads, self.used | used, self.failed)
        new.traced(set(self.questions), dict(self.labels))
        if new.questions == self.questions and new.labels == self.labels and new.failures == self.failures:
            self.used = new.used
            return self
        return new


class Result(NamedTuple):
    value: Any
    blobs: tuple[Blob, ...] = ()


class Tracer:
    """What a unit asks through while it is computed."""

    def __init__(self, run: "Run", labels: Labels):
        self.run = run
        self.labels = labels
        self.reads: dict[Question, Any] = {}
        self.used: dict[Key, Unit] = {}
        self.questions: set[Question] = set()
        self.seen_labels: dict[str, str | None] = {}
        self.failures: list[Failure] = []

    def ask(self, *question: Hashable) -> Any:
        if question in self.reads:
            return self.reads[question]
        answer = self.reads[question] = self.run.snapshot.ask(question)
        self.questions.add(question)
        return answer

    def note_label(self, key: str, value: str | None) -> None:
        self.seen_labels[key] = value

    def unit(self, key: Key) -> Unit:
        """Another unit, of the same client; this one depends on its value only."""
        unit = self.used[key] = self.run.unit(key, self.labels)
        self.reads["unit", key] = unit.value
        return unit


Compute = Callable[[Tracer, Key], Result]


class Memo:
    """All units of one process."""

    def __init__(self, compute: Compute):
        self.compute = compute
        self.units: dict[Key, list[Unit]] = {}
        self.blobs: dict[tuple[Name, str], Blob] = {}
        self.turn = 0
        self.computed = 0
        """How many units were compiled and not found: for tests and benchmarks."""
        self._stored, self._limit = 0, 4096

    def added(self) -> None:
        self.computed += 1
        self._stored += 1

    def intern(self, blobs: Iterable[Blob]) -> tuple[Blob, ...]:
        """Equal content is the same object, whichever unit it came from."""
        return tuple(self.blobs.setdefault(((b.type, b.name), b.version), b) for b in blobs)

    def next_turn(self, living: Callable[[], Iterable[Unit]]) -> None:
        """Called once per snapshot; from time to time it forgets what neither the last turns used nor `living` names."""
        self.turn += 1
        if self._stored <= self._limit:
            return
        for unit in living():
            unit.seen = self.turn
        oldest = self.turn - 8
        kept = {key: [u for u in units if u.seen >= oldest] for key, units in self.units.items()}
        self.units = {key: units for key, units in kept.items() if units}
        self.blobs = {((b.type, b.name), b.version): b for units in self.units.values() for u in units for b in u.blobs}
        self._stored = sum(map(len, self.units.values()))
        self._limit = max(4096, 2 * self._stored)


class Run:
    """The memo under one snapshot."""

    def __init__(self, memo: Memo, snapshot: Snapshot):
        self.memo = memo
        self.snapshot = snapshot

    def unit(self, key: Key, labels: Labels) -> Unit:
        variants = self.memo.units.setdefault(key, [])
        for place, unit in enumerate(variants):
            found = self._held(unit, labels)
            if found is not None:
                variants[place] = found
                found.token, found.seen = self.snapshot.token, self.memo.turn
                return found
        tracer = Tracer(self, labels)
        try:
            result = self.memo.compute(tracer, key)
        except Exception as error:
            result = self._last_good(variants, tracer, failure(key, error))
        self.memo.added()
        unit = Unit(key, result.value, self.memo.intern(result.blobs), tracer.reads, tracer.used, tuple(dict.fromkeys(tracer.failures)))
        unit.traced(tracer.questions, tracer.seen_labels)
        unit.token, unit.seen = self.snapshot.token, self.memo.turn
        variants[:] = [*[u for u in variants if u.token is self.snapshot.token or not self._outdated(u)][: MAX_VARIANTS - 1], unit]
        return unit

    def attempt(self, key: Key, labels: Labels, failures: list[Failure]) -> Unit | None:
        """The unit; None, and a word among `failures`, where it neither compiles nor ever did."""
        try:
            unit = self.unit(key, labels)
        except Uncompiled as error:
            failures.append(replace(error.failure, lost=True))
            return None
        failures += unit.failures
        return unit

    def _last_good(self, variants: list[Unit], tracer: Tracer, why: Failure) -> Result:
        """One policy's trouble is one unit's: what it said before goes on. Read again only when something that it has read changes."""
        for unit in reversed(variants):
            if all(label(tracer.labels, name) == value for name, value in unit.labels.items()):
                tracer.failures.append(why)
                return Result(unit.value, unit.blobs)
        raise Uncompiled(why)

    def _held(self, unit: Unit, labels: Labels) -> Unit | None:
        """The unit where every answer that it had is the same, renewed if need be; else None."""
        if any(label(labels, key) != value for key, value in unit.labels.items()):
            return None
        snapshot = self.snapshot
        if unit.token is snapshot.token:
            return unit
        if unit.token is snapshot.parent and snapshot.dirty is not None and snapshot.dirty.isdisjoint(unit.questions):
            return unit
        others: dict[Key, Unit] = {}
        for question, answer in unit.reads.items():
            if question[0] == "unit":
                key: Key = question[1]  # type: ignore[assignment]
                try:
                    below = self.unit(key, labels)
                except Uncompiled:
                    return None
                if below is not unit.used[key]:
                    others[key] = below
                now = below.value
            else:
                now = snapshot.ask(question)
            if now is not answer and now != answer:
                return None
        return unit.renewed(others) if others else unit

    def _outdated(self, unit: Unit) -> bool:
        """A variant that the snapshot, not the client's labels, has overtaken."""
        for question, answer in unit.reads.items():
            if question[0] == "unit":
                continue
            now = self.snapshot.ask(question)
            if now is not answer and now != answer:
                return True
        return False
