"""What there is, over REST: workloads, services, proxies, the topology; each member sees their namespaces."""

import pytest
from django.utils import timezone

from meshconsole.discovery import registry
from proxyagent import protocol


@pytest.fixture
def bookinfo(db):
    """A reviews in default and a billing in payments."""
    for namespace, name in (("default", "reviews"), ("payments", "billing")):
        spec = protocol.Workload(
            namespace=namespace,
            name=f"{name}-v1",
            service_account=name,
            services=(name,),
            labels={"app": name, "version": "v1"},
            address="127.0.0.9",
            metrics_port=15020,
            ports=(protocol.WorkloadPort(number=9080, name="http"),),
        )
        registry.register(spec, timezone.now())


def test_workloads_and_services_are_those_of_ones_namespaces(bookinfo, alice, victor):
    assert [w["id"] for w in alice.get("/api/v1/workloads").json()["items"]] == ["default/reviews-v1", "payments/billing-v1"]
    [mine] = victor.get("/api/v1/workloads").json()["items"]
    assert (mine["serviceAccount"], mine["labels"], mine["ports"][0]["number"]) == ("reviews", {"app": "reviews", "version": "v1"}, 9080)
    assert [s["host"] for s in victor.get("/api/v1/services").json()["items"]] == ["reviews.default.svc.cluster.local"]
    assert alice.get("/api/v1/workloads?namespace=payments").json()["items"][0]["name"] == "billing-v1"
    assert victor.get("/api/v1/workloads?namespace=payments").json()["items"] == []


def test_what_a_proxy_is_to_run_is_shown_by_type(bookinfo, victor):
    found = victor.get("/api/v1/proxies/default/reviews-v1/config").json()
    assert set(found) == {"clusters", "endpoints", "listeners", "routes", "secrets", "virtualHosts"}
    assert "inbound|9080||" in [c["body"]["name"] for c in found["clusters"]]
    assert set(victor.get("/api/v1/proxies/default/reviews-v1/config?type=listeners").json()) == {"listeners"}
    assert victor.get("/api/v1/proxies/default/reviews-v1/config?type=nonsense").status_code == 400
    assert victor.get("/api/v1/proxies/default/nobody/config").status_code == 404


def test_nothing_happens_yet_in_a_quiet_mesh(bookinfo, victor):
    graph = victor.get("/api/v1/topology?window=5m&kind=workload").json()
    assert (graph["kind"], graph["window"], graph["edges"]) == ("workload", 300, [])
    assert victor.get("/api/v1/metrics?window=5m").json()["items"] == []
    assert victor.get("/api/v1/proxies").json() == {"items": []}


@pytest.mark.parametrize("query", ["window=soon", "window=1s", "window=999d", "kind=nonsense"])
def test_a_topology_of_nonsense_is_refused(query, victor):
    assert victor.get(f"/api/v1/topology?{query}").status_code == 400


def test_prometheus_finds_the_proxies(bookinfo, victor):
    [target] = victor.get("/sd/prometheus").json()
    labels = target["labels"]
    assert target["targets"] == ["127.0.0.9:15020"]
    assert {n: v for n, v in labels.items() if not n.startswith("__")} == {
        "namespace": "default", "workload": "reviews-v1", "app": "reviews", "version": "v1", "proxy_kind": "sidecar",
    }  # fmt: skip
    assert labels["__meta_meshconsole_services"] == ",reviews," and labels["__meta_meshconsole_label_version"] == "v1"
    assert labels["__meta_meshconsole_connected"] == labels["__meta_meshconsole_healthy"] == "true"


def test_the_consoles_own_figures_name_nobody(bookinfo, stored, stranger, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)  # a process that answers for itself, whatever ran in it before
    text = stranger.get("/metrics").content.decode()
    assert 'meshconsole_workloads{healthy="true"} 2.0\n' in text
    assert "meshconsole_configuration_revision 1.0\n" in text
    assert "# TYPE meshconsole_push_seconds histogram\n" in text
    assert "reviews" not in text


def test_a_console_without_its_database_is_alive_and_not_ready(stranger, monkeypatch):
    from django.db import OperationalError

    from meshconsole.api.views import machines

    def broken():
        raise OperationalError("gone")

    assert stranger.get("/readyz").status_code == 200
    monkeypatch.setattr(machines.store, "latest", broken)
    assert stranger.get("/healthz").status_code == 200
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "OperationalError")
