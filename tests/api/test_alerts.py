"""Alerts over REST: who sees them, who may act on them, and that no secret ever comes out."""

import shutil
import subprocess

import pytest
import yaml
from django.utils import timezone

from meshconsole.alerts.models import Incident, Silence
from meshconsole.core import policies
from tests.alerts.conftest import loopback, receiver  # noqa: F401
from tests.alerts.mesh import alert_rule

ROUTING_KEY = "R0123456789012345678901234567890"


def manifest(kind, name, spec, namespace="default"):
    return policies.to_yaml(
        {"apiVersion": "meshconsole.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    )


@pytest.fixture
def incident(db):
    now = timezone.now()
    return Incident.objects.create(
        kind="AlertRule", namespace="default", rule="r", rule_uid="u", condition="nack", instance="default/a", severity="critical",
        labels={"workload": "a"}, channels=[], summary="It broke", state="firing", since=now, fired=now, announced=now,
    )  # fmt: skip


def test_alerts_are_seen_by_who_may_see_their_namespace(incident, alice, victor, charlie):
    assert [a["summary"] for a in alice.get("/api/v1/alerts?state=firing").json()["items"]] == ["It broke"]
    assert len(victor.get("/api/v1/alerts").json()["items"]) == 1
    assert charlie.get("/api/v1/alerts").status_code == 403
    incident.namespace = "payments"
    incident.save()
    assert victor.get("/api/v1/alerts").json()["items"] == []
    assert victor.get(f"/api/v1/alerts/{incident.pk}").status_code == 404


def test_an_editor_acknowledges_and_a_viewer_does_not(incident, bob, victor):
    assert victor.post(f"/api/v1/alerts/{incident.pk}/acknowledge").status_code == 403
    said = bob.post(f"/api/v1/alerts/{incident.pk}/acknowledge").json()
    assert said["acknowledgedBy"] == "bob"
    assert bob.post(f"/api/v1/alerts/{incident.pk}/acknowledge").json()["acknowledged"] == said["acknowledged"]  # once


def test_an_alert_is_silenced_and_the_silence_ends(incident, bob):
    made = bob.json(f"/api/v1/alerts/{incident.pk}/silence", {"duration": "2h", "comment": "maintenance"})
    assert made.status_code == 201 and made.json()["matchers"] == {"rule": "r", "instance": "default/a", "severity": "critical"}
    assert bob.get(f"/api/v1/alerts/{incident.pk}").json()["silenced"]
    assert bob.delete(f"/api/v1/silences/{made.json()['id']}").status_code == 200
    assert not bob.get(f"/api/v1/alerts/{incident.pk}").json()["silenced"]


def test_nobody_silences_other_namespaces_or_everything(bob):
    assert bob.json("/api/v1/silences", {"namespace": "payments", "matchers": {"rule": "r"}}).status_code == 403
    assert bob.json("/api/v1/silences", {"namespace": "*", "matchers": {"rule": "r"}}).status_code == 403
    assert bob.json("/api/v1/silences", {"matchers": {}}).status_code == 400
    assert not Silence.objects.exists()


def test_a_secret_goes_in_and_never_comes_out(alice, receiver):  # noqa: F811
    alice.apply(manifest("NotificationChannel", "oncall", {"pagerduty": {"url": receiver.url}}))
    assert "its secret is not set" in alice.get("/api/v1/notifiers").json()["items"][0]["problem"]
    assert alice.json("/api/v1/notifiers/default/oncall/secret", {"value": "wrong"}, "put").status_code == 400
    assert alice.json("/api/v1/notifiers/default/oncall/secret", {"value": ROUTING_KEY}, "put").status_code == 200
    said = alice.post("/api/v1/notifiers/default/oncall/test").json()
    assert said["sent"] and said["error"] == ""
    assert receiver.got[0].json["routing_key"] == ROUTING_KEY
    everything = [
        "/api/v1/notifiers", "/api/v1/resources", "/api/v1/revisions", "/api/v1/revisions/1", "/api/v1/audit?limit=100", "/api/v1/alerts",
        "/apis/meshconsole.io/v1/namespaces/default/notificationchannels/oncall", "/api/v1/alert-rules",
    ]  # fmt: skip
    for path in everything:
        answer = alice.get(path)
        assert answer.status_code == 200, path
        assert ROUTING_KEY not in answer.content.decode(), path


def test_a_test_that_fails_says_why_and_is_not_tried_again(alice, receiver):  # noqa: F811
    receiver.status = 503
    alice.apply(manifest("NotificationChannel", "hook", {"webhook": {"url": receiver.url}}))
    alice.json("/api/v1/notifiers/default/hook/secret", {"value": "x" * 20}, "put")
    said = alice.post("/api/v1/notifiers/default/hook/test").json()
    assert not said["sent"] and "answered 503" in said["error"]
    assert alice.get("/api/v1/notifiers").json()["items"][0]["last"]["state"] == "failed"


def test_only_editors_of_its_namespace_set_a_secret_or_test(alice, bob, victor, db):
    alice.apply(manifest("NotificationChannel", "oncall", {"pagerduty": {}}, "payments"))
    for who in (bob, victor):
        assert who.json("/api/v1/notifiers/payments/oncall/secret", {"value": ROUTING_KEY}, "put").status_code == 403
        assert who.post("/api/v1/notifiers/payments/oncall/test").status_code == 403


def test_rules_are_a_kind_like_any_other(alice):
    alice.apply(policies.to_yaml(alert_rule({"errorRate": {"abovePercent": 5}}, "errors")))
    one = alice.get("/apis/meshconsole.io/v1/namespaces/default/alertrules/errors").json()
    assert one["spec"]["condition"] == {"errorRate": {"abovePercent": 5}}
    [listed] = alice.get("/api/v1/alert-rules").json()["items"]
    assert listed["metadata"]["name"] == "errors" and listed["alerts"] == {"pending": 0, "firing": 0}
    refused = alice.yaml("/api/v1/apply", policies.to_yaml(alert_rule({"errorRate": {"abovePercent": 500}}, "errors")))
    assert refused.status_code == 422


def test_the_prometheus_rule_file_is_one_that_prometheus_takes(alice, tmp_path):
    """A real promtool reads it."""
    conditions = [
        {"errorRate": {"abovePercent": 5}}, {"latency": {"percentile": "p99", "above": "500ms"}}, {"requestRate": {"below": 1, "risePercent": 50}},
        {"nack": {}},
    ]  # fmt: skip
    rules = [
        alert_rule(c, f"r{n}", target={} if "nack" in c else {"service": "reviews"}, **{"for": "30s"}) for n, c in enumerate(conditions)
    ]
    alice.apply(*map(policies.to_yaml, rules), manifest("ServiceLevelObjective", "o", {"service": "reviews", "objective": 99.9}))
    answer = alice.get("/api/v1/alert-rules/prometheus")
    groups = yaml.safe_load(answer.content)["groups"]
    assert [r["alert"] for r in groups[0]["rules"]] == ["r0", "r1", "r2", "o", "o"]  # Prometheus knows no NACK
    (tmp_path / "rules.yml").write_bytes(answer.content)
    promtool = shutil.which("promtool")
    assert promtool, "install prometheus (Debian)"
    done = subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0 and "5 rules found" in done.stdout, done.stdout + done.stderr


def test_objectives_say_what_is_left(alice):
    alice.apply(manifest("ServiceLevelObjective", "o", {"service": "reviews", "objective": 99.9}))
    [said] = alice.get("/api/v1/slos").json()["items"]
    assert said["service"] == "reviews.default.svc.cluster.local" and said["budgetLeft"] is None and said["state"] == "none"
    assert len(said["burning"]) == 4
