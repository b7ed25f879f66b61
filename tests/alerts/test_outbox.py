"""No message is lost, and none is sent twice without its receiver being able to tell; also when a worker dies in the middle."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from meshconsole.alerts import outbox
from meshconsole.alerts.models import Delivery, Incident
from tests.accounts import people

from .receivers import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
ROUTING_KEY = "R0123456789012345678901234567890"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
def incident(db):
    return Incident.objects.create(
        kind="AlertRule", namespace="default", rule="r", rule_uid="u", condition="nack", instance="default/a", severity="critical",
        labels={"workload": "a"}, channels=["default/oncall"], summary="It broke", state="firing", since=NOW, fired=NOW, announced=NOW,
    )  # fmt: skip


def later(seconds):
    return timezone.now() + timedelta(seconds=seconds)


def test_a_receiver_that_is_away_is_asked_again_and_again_later(incident, channel, receiver):
    receiver.status = [503, 503, 202]
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now())
    assert outbox.deliver_due() == 0
    row = Delivery.objects.get()
    assert row.state == "waiting" and row.due > later(3) and "answered 503" in row.error
    assert outbox.deliver_due() == 0 and len(receiver.got) == 1  # not before it is due
    assert outbox.deliver_due(later(6)) == 0
    assert outbox.deliver_due(later(60)) == 1
    row.refresh_from_db()
    assert row.state == "sent" and row.attempts == 3 and [bool(a["error"]) for a in row.log] == [True, True, False]


def test_what_is_refused_for_good_is_given_up_and_says_why(incident, channel, receiver):
    receiver.check = lambda got: "routing_key is invalid"
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now())
    outbox.deliver_due()
    row = Delivery.objects.get()
    assert row.state == "failed" and "answered 400" in row.error and "routing_key is invalid" in row.error
    receiver.check = None
    assert outbox.retry(row.pk, timezone.now()) and outbox.deliver_due() == 1  # by a person who has set it right


def test_what_was_given_up_for_want_of_a_secret_is_told_when_it_is_set(incident, channel, receiver, client):
    channel(pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now())
    outbox.deliver_due()
    assert Delivery.objects.get().state == "failed" and not receiver.got
    client.force_login(people.alice())
    assert client.post("/alerts/channels/default/oncall/secret/", {"value": ROUTING_KEY}).status_code == 302
    assert outbox.deliver_due() == 1 and [g.json["event_action"] for g in receiver.got] == ["trigger"]
    Incident.objects.update(open=None)
    Delivery.objects.update(state="failed")
    assert client.post("/alerts/channels/default/oncall/secret/", {"value": ROUTING_KEY}).status_code == 302
    assert outbox.deliver_due() == 0  # of what is over nobody wants to hear


def test_a_day_of_failing_is_enough(incident, channel, receiver):
    receiver.status = 503
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now() - timedelta(hours=25))
    outbox.deliver_due()
    assert Delivery.objects.get().state == "failed"


def test_the_end_is_not_told_before_the_beginning(incident, channel, receiver):
    receiver.status = [503, 202]
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now())
    outbox.deliver_due()
    outbox.put(incident, "resolve", timezone.now())
    assert outbox.deliver_due() == 0 and len(receiver.got) == 1
    assert outbox.deliver_due(later(10)) == 2
    assert [g.json["event_action"] for g in receiver.got] == ["trigger", "trigger", "resolve"]


def test_one_dead_receiver_does_not_hold_up_another(incident, channel, receiver):
    with Receiver(status=503) as dead:
        channel("dead", secret=ROUTING_KEY, pagerduty={"url": dead.url})
        channel("alive", secret=ROUTING_KEY, pagerduty={"url": receiver.url})
        incident.channels = ["default/dead", "default/alive"]
        outbox.put(incident, "trigger", timezone.now())
        assert outbox.deliver_due() == 1
    assert len(receiver.got) == 1


def test_thousands_of_messages_for_a_dead_receiver_hide_nobody_elses_and_cost_three_tries(incident, channel, receiver):
    with Receiver(status=503) as dead:
        channel("dead", secret=ROUTING_KEY, pagerduty={"url": dead.url})
        channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
        notice = outbox.notice_of(incident, "trigger", NOW).json()
        # Without an incident each is a line of its own.
        many = [Delivery(channel="default/dead", event="trigger", notice=notice, due=NOW, created=timezone.now()) for _ in range(2100)]
        Delivery.objects.bulk_create(many)
        outbox.put(incident, "trigger", timezone.now())
        assert outbox.deliver_due() == 1
        assert len(receiver.got) == 1 and len(dead.got) == outbox.ENOUGH


def test_putting_the_same_message_twice_is_putting_it_once(incident, channel):
    channel(pagerduty={})
    assert len(outbox.put(incident, "trigger", NOW)) == 1
    assert outbox.put(incident, "trigger", NOW) == []
    assert Delivery.objects.count() == 1


def test_a_claim_is_one_workers_alone(incident, channel):
    channel(pagerduty={})
    outbox.put(incident, "trigger", NOW)
    [seen_by_one], [seen_by_another] = outbox.due(NOW), outbox.due(NOW)
    assert outbox.claim(seen_by_one, NOW) is not None
    assert outbox.claim(seen_by_another, NOW) is None
    assert outbox.due(NOW + timedelta(seconds=30)) == []


def test_many_workers_at_once_send_each_message_once(channel, receiver):
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    for n in range(12):
        row = Incident.objects.create(
            kind="AlertRule", namespace="default", rule="r", rule_uid="u", condition="nack", instance=f"default/{n}", severity="critical",
            channels=["default/oncall"], summary="It broke", state="firing", since=NOW, announced=NOW,
        )  # fmt: skip
        outbox.put(row, "trigger", timezone.now())

    def work():
        try:
            outbox.deliver_due()
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(receiver.got) == 12 and len({g.json["dedup_key"] for g in receiver.got}) == 12
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}


WORKER = """
import os, django
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
from django.db import connections
connections["default"].settings_dict["NAME"] = os.environ["TEST_DATABASE"]
settings.ALERT_ALLOWED_NETWORKS = ["127.0.0.0/8"]
settings.SECRET_KEY = os.environ["TEST_SECRET"]
from meshconsole.alerts import outbox
outbox.deliver_due()
"""


def test_a_message_whose_worker_was_killed_in_the_middle_is_sent_by_another_one(incident, channel, loopback, settings):
    """A real process, killed by SIGKILL after PagerDuty's stand-in has its request and before it has answered."""
    arrived, answer = threading.Event(), threading.Event()

    def slow(got):
        arrived.set()
        answer.wait(20)

    with Receiver(check=slow) as receiver:
        channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
        outbox.put(incident, "trigger", timezone.now())
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "meshconsole.settings",
            "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        }
        worker = subprocess.Popen([sys.executable, "-c", WORKER], env={**environment, "TEST_SECRET": settings.SECRET_KEY})
        try:
            assert arrived.wait(40)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        finally:
            worker.kill()
            worker.wait()
            answer.set()
        row = Delivery.objects.get()
        assert row.state == "claimed" and row.sent is None
        assert outbox.deliver_due() == 0  # its lease still holds: it might be alive
        receiver.check = None
        assert outbox.deliver_due(later(61)) == 1
        end = time.monotonic() + 10
        while len(receiver.got) < 2 and time.monotonic() < end:
            time.sleep(0.05)
    first, second = (g.json for g in receiver.got)
    assert first["dedup_key"] == second["dedup_key"] and first == second  # by which PagerDuty tells that it has it already
    row.refresh_from_db()
    assert row.state == "sent" and row.attempts == 2


def test_a_worker_that_was_too_slow_does_not_overwrite_what_another_one_wrote(incident, channel, receiver):
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    outbox.put(incident, "trigger", timezone.now())
    slow = outbox.claim(outbox.due(timezone.now())[0], timezone.now())
    assert outbox.deliver_due(later(61)) == 1
    outbox._written(slow, "no answer", False, timezone.now())
    assert Delivery.objects.get().state == "sent"


def test_a_message_to_a_channel_that_is_not_there_is_visible(incident):
    outbox.put(incident, "trigger", timezone.now())
    outbox.deliver_due()
    row = Delivery.objects.get()
    assert row.state == "failed" and "there is no NotificationChannel default/oncall" in row.error


def test_a_channel_that_tells_no_end_is_not_told_one(incident, channel):
    channel(pagerduty={}, sendResolved=False)
    outbox.put(incident, "trigger", NOW)
    assert outbox.put(incident, "resolve", NOW) == []
