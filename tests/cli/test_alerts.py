"""Alerts on the command line."""

import pytest
from django.utils import timezone

from meshconsole.alerts.models import Incident, Silence

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incident(db):
    now = timezone.now()
    return Incident.objects.create(
        kind="AlertRule", namespace="default", rule="errors", rule_uid="u", condition="nack", instance="default/a", severity="critical",
        labels={"workload": "a"}, channels=[], summary="It broke", state="firing", since=now, fired=now, announced=now,
    )  # fmt: skip


def test_what_fires_is_listed_and_taken_on(mesh, incident):
    assert mesh("alerts", "list").out.splitlines()[1].split()[1:5] == ["firing", "critical", "default", "errors"]
    assert "is acknowledged by alice" in mesh("alerts", "ack", str(incident.pk)).out
    assert "alice" in mesh("alerts", "list", "--state", "firing").out
    assert mesh("alerts", "list", "--state", "resolved").err == "Nothing is wrong that a rule knows of.\n"


def test_a_window_is_planned_listed_and_cancelled(mesh, incident):
    planned = mesh(
        "alerts", "silence", "service=ratings", "severity=warning", "--for", "2h", "--starts", "2126-01-31T22:00:00Z", "-m", "upgrade"
    )
    assert planned.status == 0, planned.err
    [row] = Silence.objects.all()
    assert "service=ratings,severity=warning" in mesh("alerts", "silences").out
    assert mesh("alerts", "unsilence", str(row.pk)).status == 0
    assert "Nothing is silenced." in mesh("alerts", "silences").err


def test_words_that_are_no_label_are_refused(mesh):
    assert mesh("alerts", "silence", "ratings").status == 2
    assert not Silence.objects.exists()


def test_the_rules_are_printed_for_prometheus(mesh, file):
    path = file(
        "rule.yaml", "apiVersion: meshconsole.io/v1\nkind: AlertRule\nmetadata: {name: r}\nspec: {condition: {promql: {query: up == 0}}}\n"
    )
    assert mesh("apply", "-f", path).status == 0
    assert "expr: up == 0" in mesh("alerts", "rules").out
