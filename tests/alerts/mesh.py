"""Values that conditions look at."""

from datetime import UTC, datetime, timedelta

from meshconsole.alerts import rule
from meshconsole.alerts.readings import Readings
from meshconsole.ca.queries import Certificate
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.policies import parse_object
from meshconsole.xds.status import ProxyStatus
from telemetry.edges import Edge, Peer, Response
from telemetry.histogram import observe

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HOST = "{}.default.svc.cluster.local"


def alert_rule(condition, name="r", namespace="default", **spec):
    return {
        "apiVersion": "meshconsole.io/v1", "kind": "AlertRule", "metadata": {"name": name, "namespace": namespace},
        "spec": {"condition": condition, **spec},
    }  # fmt: skip


def ruled(condition, **spec):
    found = rule.of(parse_object(alert_rule(condition, **spec))[0], MeshConfig())
    assert found is not None
    return found


def peer(workload, namespace="default"):
    app, _, version = workload.partition("-")
    return Peer(workload, namespace, app, version, app, version)


def edge(to="reviews-v1", codes=None, milliseconds=7.0, namespace="default", seconds=60.0):
    codes = codes or {"200": 100}
    n, service = sum(codes.values()), to.partition("-")[0]
    responses = tuple(Response(code, "", "-", k) for code, k in codes.items())
    host = f"{service}.{namespace}.svc.cluster.local"
    buckets = observe([milliseconds] * n)
    return Edge(
        peer("productpage-v1"),
        peer(to, namespace),
        host,
        service,
        namespace,
        "http",
        "source",
        seconds,
        n,
        responses,
        buckets,
        milliseconds * n,
    )


def proxy(name="reviews-v1", state="SYNCED", connected=True, since=NOW, error="", policies=(), namespace="default"):
    return ProxyStatus(
        id=f"{namespace}/{name}", namespace=namespace, name=name, kind="sidecar", service_account="", connected=connected, since=since,
        state=state, types={}, error=error, policies=tuple(policies), address="", agent_version="", envoy_version="", certificate="",
        synced_revision=1, nacked_revision=None, acked_at=None, envoy_running=True, envoy_restarts=0, envoy_reason="",
    )  # fmt: skip


def certificate(left, name="reviews-v1", state="valid"):
    return Certificate(
        "1", "spiffe://x", "default", "a", f"default/{name}", {}, state, NOW - timedelta(days=1), NOW + left, NOW, NOW, None, "", True
    )


def readings(*, now=None, then=None, proxies=(), certificates=(), rule=None, burns=None):
    """`now` and `then` are edges of the rule's periods: the present one, and the one that it is compared to."""
    from meshconsole.alerts import conditions

    periods = list(conditions.all_()[rule.condition].periods(rule.spec)) if rule else []
    edges = {p: (then or []) if p.ago else (now or []) for p in periods}
    return Readings(NOW, edges, proxies, certificates, burns or {})


def findings(rule, **what):
    from meshconsole.alerts import conditions

    return list(conditions.all_()[rule.condition].findings(rule, readings(rule=rule, **what)))


def breached(rule, **what):
    return [f.instance for f in findings(rule, **what) if f.breached]
