"""Channels with `groupBy`: what a fault that many rules see becomes."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from meshconsole.alerts import incidents, outbox, queries
from meshconsole.alerts.models import Delivery, Group, Incident
from meshconsole.core import policies
from meshconsole.core.resources.messages import Invalid

from .receivers import events_api_v2

pytestmark = pytest.mark.django_db(transaction=True)
ROUTING_KEY = "R0123456789012345678901234567890"
NOW = timezone.now().replace(microsecond=0)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def incident(service, severity="warning", rule="errors"):
    return Incident.objects.create(
        kind="AlertRule", namespace="default", rule=rule, rule_uid=rule, condition="error_rate", instance=service, severity=severity,
        labels={"service": service, "team": "books"}, channels=["default/oncall"], summary=f"{service} is broken", state="firing",
        since=NOW, fired=NOW,
    )  # fmt: skip


def fires(*rows, at=0):
    incidents.announce(after(at))
    return rows


def ends(row, at):
    row.refresh_from_db()
    with transaction.atomic():
        incidents._resolve(row, after(at))


@pytest.fixture
def oncall(channel, receiver):
    """PagerDuty's stand-in, which validates the documented schema, told once per namespace and team."""
    receiver.check = events_api_v2
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url}, groupBy=["namespace", "team"], groupWait="10s", groupInterval="5m")
    return receiver


def told(receiver):
    return [(g.json["event_action"], g.json.get("payload", {}).get("summary", "")) for g in receiver.got]


def test_alerts_that_begin_together_are_one_message_under_one_key(oncall):
    fires(incident("reviews"), incident("ratings", "critical"))
    assert outbox.deliver_due(after(5)) == 0  # it waits for others
    fires(incident("details"), at=6)
    assert outbox.deliver_due(after(11)) == 1
    assert told(oncall) == [("trigger", "3 alerts: reviews is broken; ratings is broken; details is broken")]
    assert oncall.got[0].json["payload"]["severity"] == "critical"
    assert oncall.got[0].json["payload"]["custom_details"]["team"] == "books"


def test_a_later_one_is_told_after_the_interval_and_the_end_when_all_are_over(oncall):
    [first] = fires(incident("reviews"))
    outbox.deliver_due(after(11))
    [second] = fires(incident("ratings"), at=60)
    assert outbox.deliver_due(after(100)) == 0
    assert outbox.deliver_due(after(320)) == 1
    ends(first, 330)
    assert outbox.deliver_due(after(331)) == 0
    ends(second, 340)
    assert outbox.deliver_due(after(341)) == 1
    assert [action for action, _ in told(oncall)] == ["trigger", "trigger", "resolve"]
    assert len({g.json["dedup_key"] for g in oncall.got}) == 1


def test_one_that_is_over_before_it_was_told_is_told_with_its_end(oncall):
    """No alert is lost because it was short."""
    row = incident("reviews")
    fires(row)
    ends(row, 3)
    outbox.deliver_due(after(3))
    assert [action for action, _ in told(oncall)] == ["trigger", "resolve"]


def test_the_next_time_is_another_group(oncall):
    for n in range(2):
        row = incident("reviews")
        fires(row, at=n * 100)
        ends(row, n * 100 + 50)
        outbox.deliver_due(after(n * 100 + 60))
    assert len({g.json["dedup_key"] for g in oncall.got}) == 2
    assert Group.objects.filter(open=True).count() == 0


def test_other_values_are_another_group(oncall, channel):
    channel(secret=ROUTING_KEY, pagerduty={"url": oncall.url}, groupBy=["service"], groupWait="0s")
    fires(incident("reviews"), incident("ratings"))
    assert outbox.deliver_due(after(1)) == 2


def test_a_group_is_acknowledged_when_somebody_is_on_each_of_its_alerts(oncall):
    first, second = fires(incident("reviews"), incident("ratings"))
    outbox.deliver_due(after(11))
    incidents.acknowledge(first.pk, "bob", after(12))
    assert outbox.deliver_due(after(13)) == 0
    incidents.acknowledge(second.pk, "bob", after(14))
    assert outbox.deliver_due(after(15)) == 1
    assert told(oncall)[-1][0] == "acknowledge"


def test_an_alert_shows_the_messages_of_its_group(oncall):
    first, second = fires(incident("reviews"), incident("ratings"))
    outbox.deliver_due(after(11))
    assert [m.event for m in queries.history(first.pk)] == [m.event for m in queries.history(second.pk)] == ["trigger"]
    assert Delivery.objects.count() == 1


def test_an_alertmanager_groups_by_itself():
    with pytest.raises(Invalid, match="groups by its own configuration"):
        policies.parse_object({
            "apiVersion": "meshconsole.io/v1", "kind": "NotificationChannel", "metadata": {"name": "a"},
            "spec": {"alertmanager": {"url": "http://alertmanager:9093"}, "groupBy": ["service"]},
        })  # fmt: skip
