"""What becomes of alerts over time. Pure: `now` is an argument."""

from datetime import UTC, datetime, timedelta

from meshconsole.alerts.evaluation import Finding, Standing, State, evaluate
from meshconsole.alerts.rule import Rule, Target

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


def rule(hold=0.0, keep=0.0, **more):
    return Rule("AlertRule", "default", "r", "uid", "error_rate", None, Target("default"), hold, keep, **more)


class Story:
    """Evaluations at seconds after BEGIN; what stands is carried on."""

    def __init__(self, hold=0.0, keep=0.0):
        self.rule, self.standing, self.moves = rule(hold, keep), {}, []

    def at(self, seconds, breached, instance="a"):
        findings = [] if breached is None else [Finding(instance, breached, f"at {seconds}")]
        for step in evaluate(self.rule, findings, self.standing, BEGIN + timedelta(seconds=seconds)):
            if step.moved:
                self.moves.append((seconds, step.state.value))
            if step.state in (State.DROPPED, State.RESOLVED):
                self.standing.pop(step.instance)
            else:
                self.standing[step.instance] = Standing(step.instance, step.state, step.since, step.clear_since)
        return self

    @property
    def state(self):
        return self.standing["a"].state if "a" in self.standing else None


def test_without_for_it_fires_at_once():
    assert Story().at(0, True).state is State.FIRING


def test_it_is_pending_until_for_is_over():
    story = Story(hold=30).at(0, True).at(20, True)
    assert story.state is State.PENDING
    assert story.at(30, True).state is State.FIRING


def test_what_is_over_before_for_fires_never():
    story = Story(hold=30).at(0, True).at(20, False).at(30, True)
    assert story.moves == [(0, "pending"), (20, "dropped"), (30, "pending")]


def test_it_resolves_when_the_condition_is_over():
    assert Story().at(0, True).at(10, False).moves == [(0, "firing"), (10, "resolved")]


def test_one_that_comes_and_goes_is_one_alert():
    story = Story(keep=30).at(0, True).at(10, False).at(20, True).at(30, False).at(50, False)
    assert story.state is State.FIRING
    assert story.at(60, False).state is None
    assert [state for _, state in story.moves].count("resolved") == 1


def test_an_instance_that_is_gone_counts_as_clear():
    assert Story().at(0, True).at(10, None).moves == [(0, "firing"), (10, "resolved")]


def test_what_is_fine_makes_no_alert():
    assert Story().at(0, False).moves == []


def test_evaluating_twice_at_the_same_moment_changes_nothing_more():
    story = Story(hold=30).at(0, True).at(30, True)
    before = list(story.moves)
    assert story.at(30, True).moves == before


def test_each_instance_has_its_own_life():
    steps = evaluate(rule(), [Finding("a", True, ""), Finding("b", False, ""), Finding("c", True, "")], {}, BEGIN)
    assert [s.instance for s in steps] == ["a", "c"]


def test_one_that_came_and_went_too_often_is_held():
    flapping = rule(keep=30, flaps=3, flap_hold=600)
    now = BEGIN + timedelta(seconds=900)
    for ended, seconds, state in ((2, 40, State.RESOLVED), (3, 40, State.FIRING), (3, 601, State.RESOLVED)):
        stands = Standing("a", State.FIRING, BEGIN, now - timedelta(seconds=seconds), ended)
        [step] = evaluate(flapping, [Finding("a", False, "")], {"a": stands}, now)
        assert step.state is state, (ended, seconds)
