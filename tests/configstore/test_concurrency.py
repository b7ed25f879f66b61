"""Several writers at once: revisions are one line without gaps, and nobody's change is lost."""

import sqlite3
import threading

import pytest
from django.db import connection, connections

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.configstore import store
from meshconsole.configstore.models import Revision

from .manifests import key, parsed, route

pytestmark = pytest.mark.django_db(transaction=True)


def together(*jobs):
    """Run them at the same time, each with a database connection of its own; their results or exceptions."""
    barrier, found = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(i, job):
        barrier.wait()
        try:
            found[i] = job()
        except Exception as e:
            found[i] = e
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(i, job)) for i, job in enumerate(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return found


@pytest.fixture
def file_database(tmp_path, django_db_blocker, transactional_db):
    """What operators have: threads with connections of their own to one database. In memory, SQLite's would share one."""
    if connection.vendor != "sqlite":
        yield
        return
    settings, kept = connection.settings_dict, connection.settings_dict["NAME"]
    connection.ensure_connection()
    with sqlite3.connect(tmp_path / "db.sqlite3") as copy:
        connection.connection.backup(copy)
    copy.close()
    kept_connection, connection.connection = connection.connection, None
    settings["NAME"] = str(tmp_path / "db.sqlite3")
    try:
        yield
    finally:
        connection.close()
        settings["NAME"], connection.connection = kept, kept_connection


def applying(name, author, **options):
    return lambda: store.apply(parsed(route(name, **options)), author=Author(author))


def test_writers_follow_each_other(file_database):
    results = together(*[applying(f"r{i}", f"writer{i}") for i in range(8)])
    assert sorted(r.revision for r in results) == list(range(1, 9))
    assert sorted(Revision.objects.values_list("number", flat=True)) == list(range(1, 9))
    assert len(store.list_()) == 8
    assert list(audit.broken()) == []


def test_of_two_who_changed_the_same_one_is_told(file_database):
    store.apply(parsed(route()), author=Author("alice"))
    results = together(applying("reviews", "bob", timeout="1s", version="1"), applying("reviews", "carol", timeout="2s", version="1"))
    assert sorted(type(r).__name__ for r in results) == ["Applied", "Conflict"]
    assert store.latest() == 2
    assert store.get(key()).body["spec"]["http"][0]["timeout"] in ("1s", "2s")


def test_of_two_who_created_the_same_one_is_told(file_database):
    jobs = [lambda t=t: store.apply(parsed(route(timeout=t)), author=Author("x"), must_exist=False) for t in ("1s", "2s")]
    assert sorted(type(r).__name__ for r in together(*jobs)) == ["Applied", "Conflict"]
    assert store.latest() == 1
