"""The store: revisions, all or nothing, nobody's change lost, and the ways back."""

import pytest

from meshconsole.accounts import audit
from meshconsole.accounts.models import AuditEntry
from meshconsole.configstore import signals, store
from meshconsole.configstore.models import Resource, Revision
from meshconsole.core.resources.messages import Invalid

from .manifests import key, parsed, route


def names() -> list[str]:
    return [r.name for r in store.list_("VirtualService")]


def test_applying_stores_what_was_written(applied):
    result = applied(route(), message="first")
    assert result.revision == store.latest() == 1
    assert [(str(c.key), c.operation) for c in result.changes] == [("VirtualService default/reviews", "create")]
    manifest = store.get(key()).manifest()
    assert manifest["spec"]["hosts"] == ["reviews.example.com"]
    assert manifest["metadata"]["resourceVersion"] == "1"
    assert manifest["metadata"]["generation"] == 1
    assert (store.revision(1).author, store.revision(1).door, store.revision(1).message) == ("alice", "token", "first")


def test_many_documents_are_one_revision(applied):
    assert applied(route("a"), route("b"), route("c")).revision == 1
    assert names() == ["a", "b", "c"]
    assert Revision.objects.count() == 1


def test_what_is_stored_already_makes_no_revision(applied):
    applied(route())
    again = applied(route())
    assert (again.revision, again.changes, again.unchanged) == (None, [], [key()])
    assert store.latest() == 1


def test_only_what_differs_is_a_change(applied):
    applied(route("a"), route("b"))
    result = applied(route("a"), route("b", timeout="3s"))
    assert [str(c.key) for c in result.changes] == ["VirtualService default/b"]
    assert store.get(key("a")).resource_version == 1
    assert store.get(key("b")).resource_version == 2


def test_generation_counts_specs_and_not_labels(applied):
    applied(route())
    applied(route(labels="team: a"))
    assert store.get(key()).generation == 1
    applied(route(labels="team: a", timeout="3s"))
    assert store.get(key()).generation == 2


def test_a_dry_run_says_the_same_and_stores_nothing(applied):
    result = applied(route(), dry_run=True)
    assert (result.revision, [c.operation for c in result.changes]) == (None, ["create"])
    assert "+  - reviews.example.com" in result.changes[0].diff
    assert (store.latest(), names(), AuditEntry.objects.count()) == (0, [], 0)


def test_one_refused_document_refuses_all(applied, bob):
    with pytest.raises(store.Forbidden) as refused:
        store.apply(parsed(route("mine"), route("theirs", namespace="payments")), author=bob)
    [message] = refused.value.messages
    assert str(message.key) == "VirtualService payments/theirs"
    assert "bob may not create VirtualService resources in namespace payments" in message.text
    assert message.document == 1
    assert (store.latest(), names()) == (0, [])


def test_all_refusals_are_told_at_once(bob):
    with pytest.raises(store.Forbidden) as refused:
        store.apply(parsed(route("a", namespace="x"), route("b", namespace="y"), route("c")), author=bob)
    assert [m.key.namespace for m in refused.value.messages] == ["x", "y"]


def test_a_resource_that_is_there_twice_is_refused(applied):
    with pytest.raises(Invalid, match="twice"):
        applied(route(), route(timeout="3s"))
    assert names() == []


def test_a_change_of_something_older_is_a_conflict(applied):
    applied(route())
    applied(route(timeout="1s"))
    with pytest.raises(store.Conflict, match="its resourceVersion is 2, not 1"):
        applied(route(timeout="2s", version="1"))
    assert store.latest() == 2
    assert applied(route(timeout="2s", version="2")).revision == 3


def test_a_change_of_something_deleted_is_a_conflict(applied, alice):
    applied(route())
    store.delete([key()], author=alice)
    with pytest.raises(store.Conflict, match="deleted"):
        applied(route(version="1"))


def test_the_age_survives_updates(applied):
    applied(route())
    created, uid = store.get(key()).created, store.get(key()).uid
    applied(route(timeout="3s"))
    assert (store.get(key()).created, store.get(key()).uid) == (created, uid)


def test_the_age_survives_a_deletion_that_is_rolled_back(applied, alice):
    applied(route())
    before = store.get(key())
    store.delete([key()], author=alice)
    assert store.get(key()) is None
    store.rollback(key(), 1, author=alice)
    after = store.get(key())
    assert (after.created, after.uid) == (before.created, before.uid)
    assert after.generation > before.generation


def test_a_resource_made_again_by_hand_is_a_new_one(applied, alice):
    applied(route())
    before = store.get(key())
    store.delete([key()], author=alice)
    applied(route())
    assert store.get(key()).uid != before.uid
    assert store.get(key()).created > before.created


def test_deleting_is_all_or_nothing(applied, alice):
    applied(route("a"), route("b"))
    with pytest.raises(store.Missing, match="default/nobody"):
        store.delete([key("a"), key("nobody")], author=alice)
    assert names() == ["a", "b"]
    assert store.delete([key("a"), key("b")], author=alice).revision == 2
    assert names() == []


def test_whoever_may_not_look_does_not_learn_what_exists(bob):
    with pytest.raises(store.Forbidden):
        store.delete([key("perhaps", "payments")], author=bob)


def test_one_resource_goes_back_and_the_others_stay(applied, alice):
    applied(route("a"), route("b"))
    applied(route("a", timeout="1s"), route("b", timeout="1s"))
    result = store.rollback(key("a"), 1, author=alice)
    assert result.revision == 3
    assert "timeout" not in store.get(key("a")).body["spec"]["http"][0]
    assert store.get(key("b")).body["spec"]["http"][0]["timeout"] == "1s"
    assert store.revision(3).message == "Rolled VirtualService default/a back to revision 1"


def test_going_back_to_before_it_existed_deletes_it(applied, alice):
    applied(route("a"))
    applied(route("b"))
    store.rollback(key("b"), 1, author=alice)
    assert names() == ["a"]


def test_undoing_a_revision_undoes_all_that_it_did(applied, alice):
    applied(route("changed"), route("deleted"))
    applied(route("changed", timeout="1s"), route("created"))
    store.delete([key("deleted")], author=alice)
    store.rollback_revision(2, author=alice)
    assert names() == ["changed"]
    assert "timeout" not in store.get(key("changed")).body["spec"]["http"][0]
    store.rollback_revision(3, author=alice)
    assert names() == ["changed", "deleted"]


def test_undoing_never_throws_a_later_change_away(applied, alice):
    applied(route())
    applied(route(timeout="1s"))
    applied(route(timeout="2s"))
    with pytest.raises(store.Conflict, match="changed again by revision 3"):
        store.rollback_revision(2, author=alice)
    assert store.get(key()).body["spec"]["http"][0]["timeout"] == "2s"


def test_everything_can_go_back_to_a_revision(applied, alice):
    applied(route("a"), route("b"))
    applied(route("a", timeout="1s"), route("c"))
    store.delete([key("b")], author=alice)
    store.restore(1, author=alice)
    assert names() == ["a", "b"]
    assert "timeout" not in store.get(key("a")).body["spec"]["http"][0]


def test_a_rollback_needs_the_same_rights_as_the_change(applied, bob):
    applied(route("theirs", namespace="payments"))
    with pytest.raises(store.Forbidden):
        store.rollback_revision(1, author=bob)


def test_there_is_no_way_back_to_what_never_was(applied, alice):
    applied(route())
    with pytest.raises(store.Missing, match="no revision 7"):
        store.rollback(key(), 7, author=alice)
    with pytest.raises(store.Missing, match="never existed"):
        store.rollback(key("nobody"), 1, author=alice)


def test_history_is_the_newest_first_with_before_and_after(applied, alice):
    applied(route())
    applied(route(timeout="1s"))
    store.delete([key()], author=alice)
    assert [(c.operation, c.before is None, c.after is None) for c in store.history(key())] == [
        ("delete", False, True), ("update", False, False), ("create", True, False),
    ]  # fmt: skip
    assert [r.number for r in store.revisions(limit=2)] == [3, 2]
    assert [r.number for r in store.revisions(before=2)] == [1]


def test_the_core_gets_what_is_stored_with_its_age_and_unchanged_things_stay_the_same_objects(applied):
    applied(route("a"), route("b"))
    first = {p.metadata.name: p for p in store.resources()}
    assert first["a"].metadata.creation_timestamp.endswith("Z")
    applied(route("b", timeout="1s"))
    second = {p.metadata.name: p for p in store.resources()}
    assert second["a"] is first["a"]
    assert second["b"] is not first["b"]


def test_the_news_goes_out_after_the_commit_and_only_then(applied, django_capture_on_commit_callbacks):
    heard = []

    def listen(revision, **_):
        heard.append((revision, Resource.objects.count()))

    signals.committed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            applied(route())
            assert heard == []
        assert heard == [(1, 1)]
        with django_capture_on_commit_callbacks(execute=True):
            applied(route())
            applied(route("b"), dry_run=True)
        assert heard == [(1, 1)]
    finally:
        signals.committed.disconnect(listen)


def test_each_change_is_in_the_audit_log_with_its_diff(applied, alice):
    applied(route("a"), route("b"))
    store.delete([key("a")], author=alice)
    assert [(e.who, e.action, e.object) for e in AuditEntry.objects.order_by("number")] == [
        ("alice", "create", "VirtualService default/a"),
        ("alice", "create", "VirtualService default/b"),
        ("alice", "delete", "VirtualService default/a"),
    ]
    assert "-  - a.example.com" in audit.entries()[0].diff
    assert list(audit.broken()) == []


def test_lists_are_narrowed_by_namespace_and_labels(applied):
    applied(route("a", labels="team: red"), route("b", labels="team: blue"), route("c", namespace="payments", labels="team: red"))
    assert [r.name for r in store.list_("VirtualService", "default")] == ["a", "b"]
    assert [r.name for r in store.list_(label_selector="team=red")] == ["a", "c"]


@pytest.mark.parametrize("text", ['"\\0"', '"\\uD800"'])
def test_what_a_database_cannot_keep_is_refused_with_a_reason(applied, text):
    with pytest.raises(Invalid):
        applied(route().replace("metadata: {", f"metadata: {{annotations: {{note: {text}}}, "))
    assert names() == []
