"""What a unit depends on is what it read, and what the units that it used read, also those that were compiled anew since."""

from typing import Any

from meshconsole.core.compiler.memo import Key, Memo, Result, Run, Tracer


class World:
    """Answers to questions, as a snapshot gives them."""

    def __init__(self, answers: dict[str, Any], before: "World | None" = None):
        self.answers, self.token = answers, object()
        self.parent = before.token if before else None
        self.dirty = frozenset((key,) for key in answers if answers[key] != before.answers[key]) if before else None

    def ask(self, question: tuple[str]) -> Any:
        return self.answers[question[0]]


def _compute(tracer: Tracer, key: Key) -> Result:
    if key[0] == "upper":
        return Result(tracer.unit(("lower",)).value)
    switch = tracer.ask("switch")
    if switch == "dial":
        return Result(tracer.ask("dial"))
    if switch == "app":
        tracer.note_label("app", tracer.labels.get("app"))
        return Result(int(tracer.labels.get("app") == "chosen"))
    if switch == "broken":
        raise ValueError("broken")
    return Result(0)


class Story:
    def __init__(self) -> None:
        self.memo, self.world = Memo(_compute), World({"switch": "off", "dial": 0})
        self.run = Run(self.memo, self.world)  # type: ignore[arg-type]

    def then(self, **answers: Any) -> None:
        self.world = World({**self.world.answers, **answers}, self.world)
        self.run = Run(self.memo, self.world)  # type: ignore[arg-type]

    def upper(self, app: str = "") -> Any:
        return self.run.unit(("upper",), {"app": app}).value

    def told(self) -> list[str]:
        return [each.reason for each in self.run.unit(("upper",), {}).failures]


def test_what_a_unit_below_came_to_read_is_read_by_those_above():
    story = Story()
    assert story.upper() == 0
    story.then(switch="dial")
    assert story.upper() == 0, "the same, by another way"
    story.then(dial=1)
    assert story.upper() == 1


def test_labels_that_a_unit_below_came_to_read_tell_clients_apart_above():
    story = Story()
    assert story.upper("other") == 0
    story.then(switch="app")
    assert [story.upper(app) for app in ("other", "chosen", "other", "chosen")] == [0, 1, 0, 1]


def test_what_is_the_same_is_not_compiled_again():
    story = Story()
    story.upper()
    story.then(switch="dial")
    story.upper()
    assert story.memo.computed == 3, "the lower one twice, the upper one once"


def test_a_failure_below_is_told_while_it_lasts_and_no_longer():
    story = Story()
    assert story.told() == []
    story.then(switch="broken")
    assert len(story.told()) == 1
    story.then(switch="off")
    assert story.told() == []
