"""The audit log shows when someone tampered with it."""

import pytest
from django.db import transaction

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import AuditEntry

pytestmark = pytest.mark.django_db
BOB = Author("bob", "token", "10.0.0.1")


@pytest.fixture
def three():
    return [audit.record(BOB, "update", f"VirtualService default/{n}", f"+{n}\n") for n in ("a", "b", "c")]


def test_an_untouched_log_is_whole(three):
    assert [e.number for e in three] == [1, 2, 3]
    assert three[1].previous == three[0].digest
    assert list(audit.broken()) == []


@pytest.mark.parametrize("field", ["who", "door", "address", "action", "object", "diff"])
def test_an_edited_entry_shows(three, field):
    AuditEntry.objects.filter(number=2).update(**{field: "x"})
    assert list(audit.broken()) == ["entry 2 was changed after it was written"]


def test_a_removed_entry_shows(three):
    AuditEntry.objects.filter(number=2).delete()
    assert "entry 2 is missing" in list(audit.broken())


def test_a_shortened_log_shows(three):
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
