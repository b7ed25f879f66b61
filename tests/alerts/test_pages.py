"""The pages of alerts, channels and objectives, as a person with some rights sees them; test_alerting.py in browser/ looks at them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from meshconsole.alerts.models import ChannelSecret, Incident, Silence
from tests.accounts import people

pytestmark = pytest.mark.django_db
ROUTING_KEY = "R0123456789012345678901234567890"


@pytest.fixture
def incident(db):
    now = timezone.now()
    return Incident.objects.create(
        kind="AlertRule", namespace="default", rule="r", rule_uid="u", condition="nack", instance="default/a", severity="critical",
        labels={"workload": "a"}, channels=[], summary="It broke <b>badly</b>", state="firing", since=now, fired=now, announced=now,
    )  # fmt: skip


@pytest.fixture
def login(client):
    def login(user):
        client.force_login(user)
        return client

    return login


def test_an_alert_is_acknowledged_and_silenced_by_an_editor(incident, login):
    bob = login(people.person("bob", default="editor"))
    assert "It broke &lt;b&gt;badly" in bob.get("/alerts/").content.decode()
    assert bob.post(f"/alerts/{incident.pk}/acknowledge/").status_code == 302
    assert bob.post(f"/alerts/{incident.pk}/silence/", {"span": "3600", "comment": "why"}).status_code == 302
    page = bob.get(f"/alerts/{incident.pk}/").content.decode()
    assert "by bob" in page and "It is silenced" in page
    assert Silence.objects.get().matches(incident)
    incident.severity = "warning" if incident.severity == "critical" else "critical"  # the same objective burns at another pace
    assert not Silence.objects.get().matches(incident)


def test_a_viewer_reads_and_changes_nothing(incident, login):
    victor = login(people.person("victor", default="viewer"))
    assert "Acknowledge</button>" not in victor.get(f"/alerts/{incident.pk}/").content.decode()
    assert victor.post(f"/alerts/{incident.pk}/acknowledge/").status_code == 403
    incident.refresh_from_db()
    assert incident.acknowledged is None


def test_alerts_of_other_namespaces_are_not_there(incident, login):
    eve = login(people.person("eve", payments="editor"))
    assert "It broke" not in eve.get("/alerts/").content.decode() + eve.get("/").content.decode()
    assert eve.get(f"/alerts/{incident.pk}/").status_code == 404


def test_a_secret_is_set_on_the_page_and_shown_on_none(channel, login):
    channel(pagerduty={})
    alice = login(people.alice())
    assert "Cannot send" in alice.get("/alerts/channels/").content.decode()
    assert alice.post("/alerts/channels/default/oncall/secret/", {"value": ROUTING_KEY}).status_code == 302
    assert ChannelSecret.objects.count() == 1
    for path in ("/alerts/channels/", "/policies/notificationchannels/default/oncall/", "/changes/", "/changes/1/"):
        answer = alice.get(path)
        assert answer.status_code == 200 and ROUTING_KEY not in answer.content.decode()


def test_only_who_may_change_a_channel_tests_it_or_sets_its_secret(channel, login):
    channel(pagerduty={})
    victor = login(people.person("victor", default="viewer"))
    assert victor.post("/alerts/channels/default/oncall/secret/", {"value": ROUTING_KEY}).status_code == 403
    assert victor.post("/alerts/channels/default/oncall/test/").status_code == 403
    assert not ChannelSecret.objects.exists()


def test_empty_pages_say_what_to_do(login):
    alice = login(people.alice())
    assert "No alert rules yet" in alice.get("/alerts/").content.decode()
    assert "No channels yet" in alice.get("/alerts/channels/").content.decode()
    assert "No objectives yet" in alice.get("/objectives/").content.decode()


@pytest.mark.parametrize("slug", ["alert-errors", "objective", "channel"])
def test_the_beginnings_that_pages_offer_are_valid(slug):
    from meshconsole.console import examples
    from meshconsole.core import policies

    found = examples.by_slug(slug)
    assert found is not None
    policies.parse(found.text)


def test_a_maintenance_window_is_planned_shown_and_cancelled_by_an_editor(login):
    bob = login(people.person("bob", default="editor"))
    assert "No maintenance is planned" in bob.get("/alerts/maintenance/").content.decode()
    said = {
        "namespace": "default",
        "matchers": "service=ratings, severity=warning",
        "starts": "2126-01-31T22:00",
        "span": "7200",
        "comment": "db <b>",
    }
    assert bob.post("/alerts/maintenance/", said).status_code == 302
    [planned] = Silence.objects.all()
    assert planned.matchers == {"service": "ratings", "severity": "warning"} and planned.author == "bob"
    assert (planned.ends - planned.starts).total_seconds() == 7200 and planned.starts.isoformat() == "2126-01-31T22:00:00+00:00"
    page = bob.get("/alerts/maintenance/").content.decode()
    assert "Planned" in page and "service=ratings" in page and "db &lt;b&gt;" in page
    assert bob.post(f"/alerts/silences/{planned.pk}/end/").status_code == 302
    assert "No maintenance is planned" in bob.get("/alerts/maintenance/").content.decode()


@pytest.mark.parametrize(
    "wrong", [{"matchers": "ratings"}, {"matchers": ""}, {"namespace": "payments"}, {"namespace": "*"}, {"span": "1"}, {"starts": "soon"}]
)
def test_a_window_that_makes_no_sense_or_is_elsewhere_is_not_planned(login, incident, wrong):
    bob = login(people.person("bob", default="editor"))
    answer = bob.post("/alerts/maintenance/", {"namespace": "default", "matchers": "service=ratings", "span": "7200", **wrong})
    assert answer.status_code == 422 and not Silence.objects.exists()


def test_a_viewer_plans_nothing(login):
    victor = login(people.person("victor", default="viewer"))
    assert "Plan it" not in victor.get("/alerts/maintenance/").content.decode()
    victor.post("/alerts/maintenance/", {"namespace": "default", "matchers": "service=ratings", "span": "7200"})
    assert not Silence.objects.exists()


def test_an_alert_leads_to_what_there_was_to_see_when_it_fired(incident, login):
    alice = login(people.alice())
    Incident.objects.update(labels={"service": "ratings"}, since=timezone.now() - timedelta(hours=3))
    page = alice.get(f"/alerts/{incident.pk}/").content.decode()
    assert "/topology/?namespace=default&amp;find=name+%3D+ratings&quot;" in page.replace('"', "&quot;")
    assert "/traces/?namespace=default&amp;service=ratings&amp;range=6h&amp;errors=1" in page
    Incident.objects.update(state="resolved", resolved=timezone.now(), fired=timezone.now() - timedelta(hours=2))
    assert "Topology when it fired" in alice.get(f"/alerts/{incident.pk}/").content.decode()
