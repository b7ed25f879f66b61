"""The audit log shows when someone tampered with it."""

import hashlib
import json

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, connection, transaction

from meshconsole.accounts import appendonly, audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import AuditEntry, AuditHead

pytestmark = pytest.mark.django_db
BOB = Author("bob", "token", "10.0.0.1")


@pytest.fixture
def tamperer():
    """Somebody with the database's own login."""
    appendonly.unguard(connection)
    yield
    appendonly.guard(connection)


@pytest.fixture
def three():
    return [audit.record(BOB, "update", f"VirtualService default/{n}", f"+{n}\n") for n in ("a", "b", "c")]


def test_an_untouched_log_is_whole(three):
    assert [e.number for e in three] == [1, 2, 3]
    assert three[1].previous == three[0].digest
    assert list(audit.broken()) == []


@pytest.mark.parametrize("field", ["who", "door", "address", "action", "object", "diff"])
def test_an_edited_entry_shows(tamperer, three, field):
    AuditEntry.objects.filter(number=2).update(**{field: "x"})
    assert list(audit.broken()) == ["entry 2 was changed after it was written"]


def test_a_removed_entry_shows(tamperer, three):
    AuditEntry.objects.filter(number=2).delete()
    assert "entry 2 is missing" in list(audit.broken())


def test_a_shortened_log_shows(tamperer, three):
    AuditEntry.objects.filter(number=3).delete()
    assert list(audit.broken()) == ["the log ends at entry 2, but entry 3 had been written"]


def test_an_entry_goes_with_the_transaction_that_it_tells_about(three):
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.record(BOB, "delete", "VirtualService default/a")
        raise RuntimeError
    assert AuditEntry.objects.count() == 3
    audit.record(BOB, "delete", "VirtualService default/a")
    assert list(audit.broken()) == []


def test_entries_are_found_by_person_and_object(three):
    audit.record(Author("alice"), "create", "JoinToken default/x")
    assert [e.object for e in audit.entries(who="alice")] == ["JoinToken default/x"]
    assert [e.number for e in audit.entries(object="default/b")] == [2]
    assert [e.number for e in audit.entries(limit=2, before=4)] == [3, 2]


@pytest.mark.parametrize("what", ["update", "delete"])
def test_the_database_itself_takes_no_change_of_an_entry(three, what):
    appendonly.guard(connection)
    rows = AuditEntry.objects.filter(number=2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(who="somebody else") if what == "update" else rows.delete()
    assert list(audit.broken()) == []
    if connection.vendor == "sqlite":
        appendonly.unguard(connection, "audit_no_delete")


def test_a_rewritten_chain_is_whole_but_not_the_one_that_was_written_down(tamperer, three):
    number, digest = audit.head()
    previous = three[0].digest
    for entry in three[1:]:
        entry.who, entry.previous = "nobody", previous
        entry.digest = previous = audit._digest(entry)
        entry.save()
    AuditHead.objects.update(digest=previous)
    assert audit.verify().broken == ()
    assert audit.verify(number, digest).broken == ("entry 3 is not the one that was written down",)
    assert audit.verify(9, "x").broken == ("entry 9, which was written down, is gone",)


def test_entries_are_found_by_what_where_and_when(three):
    audit.record(Author("alice", "ci"), "create", "Silence 7 of payments")
    last = audit.record(Author("alice", "ci"), "update", "Gateway payments/shop")

    def found(**asked) -> list[int]:
        return [e.number for e in audit.entries(asked=audit.Filter(**asked))]

    assert found(namespace="payments") == [5, 4]
    assert found(namespace="pay") == []
    assert found(action="update", door="ci") == [5]
    assert found(object="SILENCE") == [4]
    assert found(since=last.at) == [5]
    assert found(until=three[1].at) == [1]


async def _all(asked) -> str:
    return "".join([part async for part in audit.lines(asked)])


def test_an_exported_line_is_all_that_its_digest_needs(three, monkeypatch):
    monkeypatch.setattr(audit, "BATCH", 2)
    text = async_to_sync(_all)(audit.Filter())
    rows = [json.loads(line) for line in text.splitlines()]
    assert [r["number"] for r in rows] == [1, 2, 3]
    for row in rows:
        fields = [row[n] for n in ("number", "at", "who", "door", "address", "action", "object", "diff", "previous")]
        assert hashlib.sha256(json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest() == row["digest"]
