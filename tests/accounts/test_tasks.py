"""What is swept away, and what stays."""

import datetime

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from meshconsole.accounts import appendonly, audit, factors, lockout, tasks
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import Attempts, AuditEntry, SecondFactor, SignedIn

from . import people

pytestmark = pytest.mark.django_db


def test_what_is_over_goes_and_what_lives_stays():
    bob, now = people.person("bob"), timezone.now()
    here, there = Client(), Client()
    for client in (here, there):
        client.force_login(bob)
    Session.objects.filter(session_key=there.session.session_key).update(expire_date=now - datetime.timedelta(seconds=1))
    lockout.begin(lockout.sign_in("old", "192.0.2.1"), now - datetime.timedelta(hours=2))
    factors.begin(bob)
    tasks.forget(now)
    assert [s.session_key for s in SignedIn.objects.all()] == [here.session.session_key]
    assert here.get("/settings/").status_code == 200
    assert not Attempts.objects.exists()
    assert SecondFactor.objects.exists()
    tasks.forget(now + datetime.timedelta(days=2))
    assert not SecondFactor.objects.exists()


def test_tampering_shows_in_the_workers_log(caplog):
    audit.record(Author("bob"), "update", "VirtualService default/a")
    assert tasks.verify_audit() == []
    appendonly.unguard(connection)
    AuditEntry.objects.update(who="nobody")
    assert tasks.verify_audit() == ["entry 1 was changed after it was written"]
    assert "tampered" in caplog.text
