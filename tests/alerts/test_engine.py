"""A rule's whole way: figures in the store, an incident, messages in the outbox, and the end of it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from meshconsole.alerts import engine, incidents, outbox
from meshconsole.alerts.models import Delivery, Incident, Silence
from meshconsole.alerts.notice import Notice
from meshconsole.configstore import store
from meshconsole.core.resources.messages import Key
from telemetry import ingest, query
from tests.telemetry.traffic import batch, requests

from .mesh import alert_rule
from .receivers import events_api_v2

pytestmark = pytest.mark.django_db(transaction=True)
ROUTING_KEY = "R0123456789012345678901234567890"
BEGIN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class Mesh:
    """Requests to reviews, and evaluations, at seconds after BEGIN."""

    def __init__(self):
        self.seq = 0

    def count(self, second, n=100, code="200"):
        self.seq += 1
        end = BEGIN.timestamp() + second
        ingest.store(
            "default/productpage-v1", "e", self.seq, batch(requests("productpage-v1", "reviews-v1", n, response_code=code), end=end)
        )

    def evaluate(self, second):
        return engine.run(at(second))


def at(second):
    return BEGIN + timedelta(seconds=second)


@pytest.fixture
def mesh(db):
    return Mesh()


def failing(**spec):
    spec = {"keepFiringFor": "0s", "channels": ["oncall"], "severity": "critical", **spec}
    return alert_rule({"errorRate": {"abovePercent": 50, "window": "10s"}}, "reviews-errors", **spec)


def events():
    return list(Delivery.objects.order_by("pk").values_list("event", "state"))


def test_pagerduty_is_told_of_the_beginning_the_acknowledgement_and_the_end(mesh, apply, channel, receiver, settings):
    """`receiver` is a stand-in for PagerDuty that validates the documented schema of the Events API v2."""
    settings.CONSOLE_URL, settings.GRAFANA_URL = "https://mesh.example.com", "https://grafana.example.com"
    receiver.check = events_api_v2
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    apply(failing())
    mesh.count(5, code="503")
    assert mesh.evaluate(10) == 1
    assert outbox.deliver_due() == 1
    incident = Incident.objects.get()
    assert incidents.acknowledge(incident.pk, "bob", at(15))
    outbox.deliver_due()
    mesh.evaluate(60)
    outbox.deliver_due()

    said = [g.json for g in receiver.got]
    assert [e["event_action"] for e in said] == ["trigger", "acknowledge", "resolve"]
    assert len({e["dedup_key"] for e in said}) == 1 and {e["routing_key"] for e in said} == {ROUTING_KEY}
    links = {link["text"]: link["href"] for link in said[0]["links"]}
    assert links["Alert"] == f"https://mesh.example.com/alerts/{incident.pk}/"
    assert links["Service"] == "https://mesh.example.com/services/default/reviews/"
    assert links["Topology"] == "https://mesh.example.com/topology/?namespace=default&find=name+%3D+reviews" and links[
        "Grafana"
    ].startswith("https://grafana.example.com")
    assert said[0]["payload"]["severity"] == "critical" and "failed in 10 s" in said[0]["payload"]["summary"]
    assert [state for _, state in events()] == ["sent"] * 3
    incident.refresh_from_db()
    assert incident.state == "resolved" and incident.acknowledged_by == "bob"


def test_the_next_time_is_another_incident_with_another_key(mesh, apply, channel, receiver):
    channel(secret=ROUTING_KEY, pagerduty={"url": receiver.url})
    apply(failing())
    for second in (5, 105):
        mesh.count(second, code="503")
        mesh.evaluate(second + 5)
        mesh.evaluate(second + 50)
    outbox.deliver_due()
    actions = {}
    for got in receiver.got:
        actions.setdefault(got.json["dedup_key"], []).append(got.json["event_action"])
    assert list(actions.values()) == [["trigger", "resolve"]] * 2


def test_evaluating_twice_tells_once(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing())
    mesh.count(5, code="503")
    mesh.evaluate(10)
    mesh.evaluate(10)
    assert Incident.objects.count() == 1 and len(events()) == 1


def test_a_pending_alert_tells_nobody_and_leaves_nothing_when_it_passes(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing(**{"for": "30s"}))
    mesh.count(5, code="503")
    mesh.evaluate(10)
    assert Incident.objects.get().state == "pending" and events() == []
    mesh.evaluate(60)
    assert not Incident.objects.exists() and events() == []


def test_a_rule_that_is_deleted_ends_its_incident(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing())
    mesh.count(5, code="503")
    mesh.evaluate(10)
    from meshconsole.accounts.author import Author

    store.delete([Key("meshconsole.io", "AlertRule", "default", "reviews-errors")], author=Author("alice"))
    mesh.evaluate(11)
    assert Incident.objects.get().state == "resolved" and [e for e, _ in events()] == ["trigger", "resolve"]


def test_when_the_figures_cannot_be_read_nothing_resolves(mesh, apply, channel, settings):
    channel(pagerduty={})
    apply(failing())
    mesh.count(5, code="503")
    mesh.evaluate(10)
    settings.PROMETHEUS_URL = "http://127.0.0.1:9"  # nobody listens there
    with pytest.raises(query.Unavailable):
        query.edges(0, 10)
    mesh.evaluate(60)
    assert Incident.objects.get().state == "firing"


def test_a_silenced_alert_tells_nobody_until_the_silence_ends(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing())
    incidents.silence("default", {"service": "reviews"}, at(0), at(30), "bob", "maintenance", at(0))
    mesh.count(5, code="503")
    mesh.evaluate(10)
    assert Incident.objects.get().state == "firing" and events() == []
    mesh.count(34, code="503")
    mesh.evaluate(35)
    assert [e for e, _ in events()] == ["trigger"]


def test_an_alert_that_begins_and_ends_in_a_silence_is_never_told(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing())
    incidents.silence("*", {"rule": "reviews-errors"}, at(0), at(300), "bob", "", at(0))
    mesh.count(5, code="503")
    mesh.evaluate(10)
    mesh.evaluate(60)
    assert Incident.objects.get().state == "resolved" and events() == []


def test_a_silence_of_everything_is_refused(db):
    with pytest.raises(ValueError, match="at least one label"):
        incidents.silence("*", {}, at(0), at(10), "bob", "", at(0))
    assert not Silence.objects.exists()


def test_a_move_that_was_decided_on_an_older_state_is_not_made(mesh, apply, channel):
    """Two workers evaluate at once: the slower one's decision is void."""
    channel(pagerduty={})
    apply(failing())
    mesh.count(5, code="503")
    mesh.evaluate(10)
    stale = Incident.objects.get()
    assert incidents.acknowledge(stale.pk, "bob", at(11))
    assert not incidents._move(stale, {"state": "resolved", "open": None})
    assert Incident.objects.get().state == "firing"


def test_a_second_open_incident_of_the_same_instance_cannot_be_written(mesh, apply, channel):
    channel(pagerduty={})
    apply(failing())
    mesh.count(5, code="503")
    mesh.evaluate(10)
    [rule] = engine.rules()
    from meshconsole.alerts.evaluation import Finding, Next, State

    row = Incident.objects.get()
    step = Next(row.instance, State.FIRING, at(10), None, Finding(row.instance, True, "again"), True)
    assert not incidents.perform(rule, step, None, at(10))
    assert Incident.objects.count() == 1 and connection.is_usable()


def test_an_objective_that_burns_tells_its_channels(mesh, apply, channel):
    channel(pagerduty={})
    apply({
        "apiVersion": "meshconsole.io/v1", "kind": "ServiceLevelObjective", "metadata": {"name": "reviews"},
        "spec": {"service": "reviews", "objective": 99.9, "window": "1h", "channels": ["oncall"]},
    })  # fmt: skip
    mesh.count(0, n=1000)
    engine.run_objectives(at(10))
    assert not Incident.objects.exists()
    mesh.count(20, n=500, code="503")
    engine.run_objectives(at(30))
    assert {i.severity for i in Incident.objects.filter(state="firing")} == {"critical", "warning"}
    critical = Incident.objects.filter(severity="critical").first()
    assert critical.labels["slo"] == "reviews" and "burns" in critical.summary
    assert Notice.read(Delivery.objects.first().notice).labels["service"] == "reviews"


def test_an_alert_that_flaps_becomes_one_that_stays(mesh, apply, channel):
    """Three ends within the hour: the fourth time it is held until it has been over for `holdFor`."""
    channel(pagerduty={})
    apply(failing(flapping={"times": 3, "within": "1h", "holdFor": "10m"}))
    for second in (5, 105, 205, 305):
        mesh.count(second, code="503")
        mesh.evaluate(second + 5)
        mesh.evaluate(second + 50)
    assert [i.state for i in Incident.objects.order_by("pk")] == ["resolved"] * 3 + ["firing"]
    mesh.evaluate(355 + 601)
    assert not Incident.objects.filter(state="firing").exists()
