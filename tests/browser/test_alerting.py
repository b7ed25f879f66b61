"""Alerts in a real browser: an alert is acknowledged and silenced, a channel gets its secret and is tested, and everyone can read the pages."""

import json

import pytest
from playwright.sync_api import expect

from tests.alerts.receivers import Receiver, events_api_v2

from .console import Console
from .test_pages import AXE

ROUTING_KEY = "R0123456789012345678901234567890"
EVALUATE = (
    "import django; django.setup(); from django.utils import timezone; from meshconsole.alerts import engine, outbox;"
    "engine.run(timezone.now()); engine.run_objectives(timezone.now()); outbox.deliver_due()"
)


def manifest(kind, name, spec):
    return json.dumps({"apiVersion": "meshconsole.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})


@pytest.fixture(scope="module")
def pagerduty():
    with Receiver(check=events_api_v2) as receiver:  # a stand-in that validates the documented schema
        yield receiver


@pytest.fixture(scope="module")
def alerting(tmp_path_factory, pagerduty):
    """A console whose ratings fail, with a rule, an objective and a channel without its secret."""
    made = Console(tmp_path_factory.mktemp("alerting"))
    made.environment["ALERT_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    made.start()
    try:
        made.bookinfo("--seconds", "120", "--errors")
        made.apply(manifest("NotificationChannel", "oncall", {"pagerduty": {"url": pagerduty.url}}))
        made.apply(
            manifest(
                "AlertRule",
                "errors",
                {"condition": {"errorRate": {"abovePercent": 5, "window": "5m"}}, "severity": "critical", "channels": ["oncall"]},
            )
        )
        made.apply(manifest("ServiceLevelObjective", "ratings", {"service": "ratings", "objective": 99}))
        yield made
    finally:
        made.stop()


def test_a_channel_gets_its_secret_and_is_tested(open_page, alerting, pagerduty):
    page = open_page(alerting)
    page.goto("/alerts/channels/")
    expect(page.get_by_text("Cannot send")).to_be_visible()
    page.get_by_role("button", name="Set secret").click()
    dialog = page.get_by_role("dialog", name="Secret of oncall")
    dialog.locator("input[type=password]").fill(ROUTING_KEY)
    dialog.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("The secret is set.")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("PagerDuty took the test message.")).to_be_visible()
    assert [g.json["event_action"] for g in pagerduty.got] == ["trigger", "resolve"]
    assert ROUTING_KEY not in page.content()


def test_an_alert_is_seen_on_the_overview_acknowledged_and_silenced(open_page, alerting):
    alerting.run("-c", EVALUATE)
    page = open_page(alerting)
    page.goto("/")
    page.locator("#firing a.rank", has_text="requests to ratings failed").click()
    page.wait_for_url("**/alerts/*/**")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged: its channels are told")).to_be_visible()
    page.get_by_role("button", name="Silence").click()
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    expect(page.get_by_text("nobody is told until the silence ends")).to_be_visible()
    page.goto("/alerts/")
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("The silence is ended.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everyone_can_read_the_pages(open_page, alerting, theme):
    alerting.run("-c", EVALUATE)
    page = open_page(alerting, color_scheme=theme)
    faults = []
    alert = alerting.api.get("/api/v1/alerts").json()["items"][0]["id"]
    titles = {
        "/alerts/": "Alerts · Meshconsole", f"/alerts/{alert}/": " · Alert · default · Meshconsole", "/alerts/channels/": "Channels · Meshconsole",
        "/objectives/": "Objectives · Meshconsole", "/alerts/maintenance/": "Maintenance · Meshconsole",
    }  # fmt: skip
    for path, title in titles.items():
        page.goto(path)
        assert page.title().endswith(title)
        page.wait_for_timeout(250)
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
        faults += [f"{path}: {v['id']}: {n['target']}" for v in found["violations"] for n in v["nodes"][:3]]
    assert not faults, "\n".join(faults)


def test_a_maintenance_window_is_planned(open_page, alerting):
    page = open_page(alerting)
    page.goto("/alerts/maintenance/")
    page.get_by_label("Alerts with").fill("service=details")
    page.get_by_label("Why").fill("upgrade of the database")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("Planned. What still fires")).to_be_visible()
    expect(page.get_by_role("cell", name="service=details")).to_be_visible()
