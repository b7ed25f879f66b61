"""Analysis at the store's door: an error that a change would bring refuses it; a warning rides along; an old sin does not block others."""

import pytest

from meshconsole.configstore import signals, store, writing
from meshconsole.core.resources.messages import Invalid, Level, Message

from .manifests import key, parsed, route


@pytest.fixture
def finds(monkeypatch):
    """`finds(level, code, names)`: analysis that has this to say of resources with these names."""

    def install(level, code, *names):
        def analyze(policies, workloads, mesh):
            return [Message(level, code, "says the analyzer", key=p.key) for p in policies if p.metadata.name in names]

        monkeypatch.setattr(writing.analysis, "analyze", analyze)

    return install


def test_an_error_refuses_the_change(applied, finds):
    finds(Level.ERROR, "IST0109", "bad")
    with pytest.raises(Invalid) as refused:
        applied(route("good"), route("bad"))
    assert [(m.code, m.document) for m in refused.value.messages] == [("IST0109", 1)]
    assert store.latest() == 0


def test_a_warning_rides_along(applied, finds):
    finds(Level.WARNING, "IST0130", "odd")
    result = applied(route("odd"))
    assert result.revision == 1
    assert [m.code for m in result.messages] == ["IST0130"]


def test_what_others_did_wrong_does_not_stop_anyone(applied, finds):
    applied(route("old"))
    finds(Level.ERROR, "IST0109", "old")
    assert applied(route("new")).revision == 2


def test_a_resource_that_was_wrong_before_can_still_be_changed_and_deleted(applied, alice, finds):
    applied(route("old"))
    finds(Level.ERROR, "IST0109", "old")
    assert applied(route("old", timeout="1s")).revision == 2
    assert store.delete([key("old")], author=alice).revision == 3


def test_what_is_referred_to_may_come_later(applied, finds):
    finds(Level.ERROR, "IST0101", "early")
    result = applied(route("early"))
    assert result.revision == 1
    assert [(m.level, m.code) for m in result.messages] == [(Level.WARNING, "IST0101")]


def test_analysis_is_told_of_the_workloads(applied, monkeypatch):
    seen = []
    monkeypatch.setattr(writing.analysis, "analyze", lambda policies, workloads, mesh: seen.append(workloads) or [])

    def workloads(**_):
        return ["a workload"]

    signals.analysing.connect(workloads)
    try:
        applied(route())
    finally:
        signals.analysing.disconnect(workloads)
    assert seen == [["a workload"]]


def test_analysis_sees_the_age_that_a_resource_keeps(applied, monkeypatch):
    applied(route())
    created = store.resources()[0].metadata.creation_timestamp
    seen = []
    monkeypatch.setattr(writing.analysis, "analyze", lambda policies, *_: seen.extend(policies) or [])
    store.apply(parsed(route(timeout="1s")), author=store.Author("alice"))
    assert [p.metadata.creation_timestamp for p in seen] == [created]
