"""A fault breaks a service: its edge turns red, its budget burns, PagerDuty is told of the beginning and, when the fault is gone, of the end."""

import sys
import time

import pytest

from tests.alerts.receivers import Receiver, events_api_v2

from .live import LiveMesh, eventually
from .load import Load

URL = "http://echo:27080/"
ROUTING_KEY = "R0123456789012345678901234567890"
RULES = """
apiVersion: meshconsole.io/v1
kind: NotificationChannel
metadata: {{name: oncall}}
spec: {{pagerduty: {{url: "{url}"}}}}
---
apiVersion: meshconsole.io/v1
kind: AlertRule
metadata: {{name: echo-errors}}
spec:
  target: {{service: echo}}
  condition: {{errorRate: {{abovePercent: 20, window: 10s}}}}
  keepFiringFor: 5s
  severity: critical
  channels: [oncall]
---
apiVersion: meshconsole.io/v1
kind: ServiceLevelObjective
metadata: {{name: echo}}
spec: {{service: echo, objective: 99, window: 1h}}
"""
FAULT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http:
  - fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: echo}}]
"""


@pytest.fixture
def mesh(tmp_path):
    made = LiveMesh(tmp_path, ALERT_ALLOWED_NETWORKS="127.0.0.0/8", CONSOLE_URL="https://mesh.example.com", TRACING_SAMPLING="100").start()
    try:
        made.children.start("worker", [sys.executable, "-m", "meshconsole.cli", "worker"], made.environment)
        made.client = made.workload("client", service="client")
        made.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo")
        made.warm(made.client, URL)
        yield made
    finally:
        made.stop()


@pytest.mark.timeout(240)
def test_a_fault_is_seen_told_and_over(mesh):
    """`pagerduty` is a stand-in that validates the documented schema of the Events API v2."""
    with Receiver(check=events_api_v2) as pagerduty, mesh.client.client() as session, Load(session, URL):
        mesh.apply(RULES.format(url=pagerduty.url))
        assert mesh.api.put("/api/v1/notifiers/default/oncall/secret", json={"value": ROUTING_KEY}).is_success
        broke = time.monotonic()
        mesh.apply(FAULT)

        def told(action):
            return next((g.json for g in pagerduty.got if g.json["event_action"] == action), None)

        def red():
            edges = mesh.api.get("/api/v1/topology?window=60s").json()["edges"]
            return [e for e in edges if e.get("health", {}).get("status") == "failure"]

        eventually(red, 15)  # the promise
        print(f"the edge was red {time.monotonic() - broke:.1f} s after the fault was applied")
        trigger = eventually(lambda: told("trigger"), 60)
        print(f"PagerDuty was told {time.monotonic() - broke:.1f} s after the fault was applied")
        assert trigger["payload"]["component"] == "echo" and "failed in 10 s" in trigger["payload"]["summary"]
        links = {link["text"]: link["href"] for link in trigger["links"]}
        assert links["Traces"] == "https://mesh.example.com/traces/?service=echo&errors=1&namespace=default" and "Topology" in links
        failed = eventually(
            lambda: mesh.api.get("/api/v1/traces", params={"errors": "true", "service": "echo", "limit": 5}).json()["items"], 20
        )  # as the link says
        shown = mesh.api.get(f"/api/v1/traces/{failed[0]['id']}").json()
        assert any("FI" in span["flags"] and {"kind": "VirtualService", "namespace": "default", "name": "echo"}.items() <= p.items()
                   for span in shown["spans"] for p in span["policies"])  # fmt: skip
        eventually(lambda: mesh.api.get("/api/v1/slos").json()["items"][0]["state"] == "failure", 40)
        mine = next(a for a in mesh.api.get("/api/v1/alerts?state=firing").json()["items"] if a["rule"] == "echo-errors")
        assert mesh.api.post(f"/api/v1/alerts/{mine['id']}/acknowledge").is_success
        eventually(lambda: told("acknowledge"), 20)

        mended = time.monotonic()
        assert mesh.cli("delete", "virtualservice", "echo").returncode == 0
        resolve = eventually(lambda: told("resolve"), 90)
        print(f"PagerDuty was told of the end {time.monotonic() - mended:.1f} s after the fault was deleted")
        assert resolve["dedup_key"] == trigger["dedup_key"]
        history = mesh.api.get(f"/api/v1/alerts/{mine['id']}").json()["deliveries"]
        assert [(d["event"], d["state"]) for d in history] == [("trigger", "sent"), ("acknowledge", "sent"), ("resolve", "sent")]
