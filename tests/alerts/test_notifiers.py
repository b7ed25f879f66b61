"""Each way out, by what arrives at a real server."""

import json
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from meshconsole.alerts import notifiers
from meshconsole.alerts.notice import Notice, links
from meshconsole.alerts.notifiers import slack, teams, webhook
from meshconsole.alerts.notifiers.base import NotifyError
from meshconsole.alerts.outbound import allowed, post
from meshconsole.core.policies import parse_object
from meshconsole.core.policies.notification_channel import NotificationChannelSpec

from .receivers import Receiver, events_api_v2

ROUTING_KEY = "R0123456789012345678901234567890"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def notice(event="trigger", **changes):
    labels = {"namespace": "default", "service": "reviews"}
    said = {
        "event": event, "dedup_key": "meshconsole/default/r/1", "rule": "r", "namespace": "default", "instance": "reviews.default.svc.cluster.local",
        "severity": "critical", "summary": "7 % of <all> requests failed", "labels": labels, "value": 0.07, "since": NOW.isoformat(),
        "at": (NOW + timedelta(minutes=1)).isoformat(), "by": "bob", "links": links("https://mesh.example.com", "", 1, labels),
    }  # fmt: skip
    return Notice(**{**said, **changes})


def spec(**way):
    found = parse_object({"apiVersion": "meshconsole.io/v1", "kind": "NotificationChannel", "metadata": {"name": "a"}, "spec": way})[0]
    [(name, said)] = found.spec.chosen()
    return notifiers.all_()[name], said


def test_every_way_of_the_kind_has_its_file():
    ways = {name for name, kind in NotificationChannelSpec.model_fields.items() if kind.default is None}
    assert set(notifiers.all_()) == ways


@pytest.mark.parametrize("event", ["trigger", "acknowledge", "resolve", "test"])
def test_pagerdutys_documented_schema_is_kept(receiver, event):
    """A stand-in for PagerDuty that validates the documented schema."""
    receiver.check = events_api_v2
    notifier, said = spec(pagerduty={"url": receiver.url})
    notifier.notify(notice(event, summary="x" * 3000), said, ROUTING_KEY)
    actions = [g.json["event_action"] for g in receiver.got]
    assert actions == (["trigger", "resolve"] if event == "test" else [event])  # a test wakes nobody


def test_slack_gets_text_in_which_names_cannot_become_mentions(receiver):
    notifier, said = spec(slack={})
    notifier.notify(notice(), said, f"{receiver.url}/services/T0/B0/x")
    [got] = receiver.got
    assert got.path == "/services/T0/B0/x" and "7 % of &lt;all&gt; requests failed" in got.json["text"]
    assert slack.message(notice("resolve"))["attachments"][0]["color"] == slack.OVER


def test_teams_gets_an_adaptive_card(receiver):
    notifier, said = spec(teams={})
    notifier.notify(notice(), said, receiver.url)
    [attachment] = receiver.got[0].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive" and attachment["content"]["type"] == "AdaptiveCard"
    assert all(a["url"].startswith("https://mesh.example.com") for a in teams.message(notice())["attachments"][0]["content"]["actions"])


def test_a_webhooks_signature_proves_who_sent_it_and_its_id_stays(receiver):
    notifier, said = spec(webhook={"url": f"{receiver.url}/hook"})
    for _ in range(2):
        notifier.notify(notice(), said, "sixteen characters")
    first, second = receiver.got
    at, signature = (part.partition("=")[2] for part in first.headers["meshconsole-signature"].split(","))
    assert signature == webhook.signature(first.body, int(at), "sixteen characters") != webhook.signature(first.body, int(at), "other")
    assert abs(int(at) - time.time()) < 60
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == first.json["id"]


def test_apprise_posts_by_any_of_its_ways(receiver):
    notifier, said = spec(apprise={})
    receiver.status = 200
    notifier.notify(notice(), said, f"json://{receiver.url.removeprefix('http://')}/any")
    assert receiver.got[0].json["title"] == "[CRITICAL] default/r" and receiver.got[0].json["type"] == "failure"
    receiver.status = 500
    with pytest.raises(NotifyError):
        notifier.notify(notice(), said, f"json://{receiver.url.removeprefix('http://')}/any")


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "mqtt://127.0.0.1/topic"])
def test_apprise_does_not_act_on_the_consoles_own_host(url):
    notifier, said = spec(apprise={})
    with pytest.raises(NotifyError) as refused:
        notifier.notify(notice(), said, url)
    assert refused.value.permanent


@pytest.mark.parametrize("way", [
    lambda url: (spec(webhook={"url": url}), "sixteen characters"),
    lambda url: (spec(slack={}), url),
    lambda url: (spec(alertmanager={"url": url}), ""),
    lambda url: (spec(apprise={}), url.replace("http", "json")),
])  # fmt: skip
def test_nothing_is_sent_to_a_private_address_that_is_not_allowed(way, settings):
    settings.ALERT_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with Receiver() as receiver:
        settings.ALERT_ALLOWED_NETWORKS = []
        (notifier, said), secret = way(receiver.url)
        with pytest.raises(NotifyError, match="private address") as refused:
            notifier.notify(notice(), said, secret)
        assert refused.value.permanent and receiver.got == []


def test_a_name_that_resolves_to_a_private_address_is_refused_too(settings):
    settings.ALERT_ALLOWED_NETWORKS = []
    with pytest.raises(NotifyError, match="private address"):
        post("http://localhost:9/", b"{}")


@pytest.mark.parametrize("address,public", [
    ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
    ("127.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False), ("0.0.0.0", False),
    ("100.64.0.1", False), ("224.0.0.1", False), ("240.0.0.1", False),
])  # fmt: skip
def test_only_public_addresses_are_spoken_to(settings, address, public):
    settings.ALERT_ALLOWED_NETWORKS = []
    assert allowed(address) is public
    settings.ALERT_ALLOWED_NETWORKS = ["0.0.0.0/0", "::/0"]
    assert allowed(address)


def test_a_redirect_is_not_followed(receiver, loopback):
    with Receiver() as elsewhere:
        receiver.status, receiver.location = 302, elsewhere.url
        with pytest.raises(NotifyError) as refused:
            post(receiver.url, b"{}")
        assert refused.value.permanent and elsewhere.got == []


@pytest.mark.parametrize(
    "status,permanent", [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (503, False)]
)
def test_what_asking_again_can_mend_is_not_given_up(receiver, status, permanent):
    receiver.status = status
    with pytest.raises(NotifyError) as refused:
        post(receiver.url, b"{}")
    assert refused.value.permanent is permanent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def alertmanager(tmp_path, loopback):
    """A real one."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert binary, "install prometheus-alertmanager (Debian)"
    (tmp_path / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = free_port()
    command = [
        binary, f"--config.file={tmp_path / 'am.yml'}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=url, trust_env=False) as client:
            end = time.monotonic() + 30
            while True:
                try:
                    if client.get("/-/ready").is_success:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def test_a_real_alertmanager_takes_an_alert_and_its_end(alertmanager):
    notifier, said = spec(alertmanager={"url": str(alertmanager.base_url)})
    now = datetime.now(UTC)
    labels = {"namespace": "default", "service": "reviews", "app.kubernetes.io/name": "reviews"}
    fresh = {"since": now.isoformat(), "at": now.isoformat(), "labels": labels}

    def active():
        return [a for a in alertmanager.get("/api/v2/alerts").json() if a["labels"]["alertname"] == "r"]

    def wait(wanted):
        end = time.monotonic() + 10
        while bool(active()) is not wanted and time.monotonic() < end:
            time.sleep(0.1)
        return active()

    notifier.notify(notice(**fresh), said, "")
    notifier.notify(notice(**fresh), said, "")  # again, after a worker died: it is the same alert
    [alert] = wait(True)
    assert alert["labels"]["app_kubernetes_io_name"] == "reviews" and alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "7 % of <all> requests failed"
    assert json.dumps(alert["generatorURL"]).startswith('"https://mesh.example.com/alerts/1/')
    time.sleep(1)
    notifier.notify(notice("resolve", since=fresh["since"], at=datetime.now(UTC).isoformat(), labels=labels), said, "")
    assert wait(False) == []
