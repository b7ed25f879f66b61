import pytest

from meshconsole.core.policies import parse
from meshconsole.topology import badges

from .bookinfo import SERVICES, WORKLOADS, host


def found(text: str) -> dict[str, list[str]]:
    policies, _ = parse(text)
    return {place: [b.kind for b in given] for place, given in badges.of(policies, SERVICES, WORKLOADS).items()}


def virtual_service(http: str, hosts: str = "[reviews]", more: str = "") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: it, namespace: default}}
spec:
  hosts: {hosts}
  {more}
  http:
  - {http}
"""


TO_REVIEWS = "route: [{destination: {host: reviews}}]"


@pytest.mark.parametrize(
    ("http", "kinds"),
    [
        (TO_REVIEWS, ["routing"]),
        (
            "{route: [{destination: {host: reviews, subset: v1}, weight: 90}, {destination: {host: reviews, subset: v2}, weight: 10}]}",
            ["routing", "shifting"],
        ),
        (f"{{fault: {{abort: {{httpStatus: 500, percentage: {{value: 10}}}}}}, {TO_REVIEWS}}}", ["fault", "routing"]),
        (f"{{mirror: {{host: reviews, subset: v3}}, {TO_REVIEWS}}}", ["mirror", "routing"]),
        (f"{{timeout: 1s, retries: {{attempts: 2}}, {TO_REVIEWS}}}", ["retry", "routing", "timeout"]),
    ],
)
def test_what_a_virtual_service_does_is_shown_at_the_services_it_steers(http: str, kinds: list[str]):
    assert found(virtual_service(http)) == {f"service:{host('reviews')}": kinds}


def test_one_of_a_gateway_is_shown_where_it_leads():
    text = virtual_service("route: [{destination: {host: productpage}}]", '["*"]', "gateways: [bookinfo-gateway]")
    assert found(text) == {f"service:{host('productpage')}": ["routing"]}


def test_a_host_that_nobody_serves_is_shown_nowhere():
    assert found(virtual_service(TO_REVIEWS, "[nobody]")) == {}


@pytest.mark.parametrize(
    ("policy", "kinds"),
    [
        ("outlierDetection: {consecutive5xxErrors: 1}", ["circuitBreaker"]),
        ("connectionPool: {http: {http1MaxPendingRequests: 1}}", ["circuitBreaker"]),
        ("loadBalancer: {simple: ROUND_ROBIN}", ["loadBalancing"]),
        ("tls: {mode: DISABLE}", ["mtls"]),
    ],
)
def test_what_a_destination_rule_does_is_shown_at_its_host(policy: str, kinds: list[str]):
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: it, namespace: default}}
spec:
  host: ratings
  {}
"""
    assert found(text.format(f"trafficPolicy: {{{policy}}}")) == {f"service:{host('ratings')}": kinds}
    assert found(text.format(f"subsets: [{{name: v1, labels: {{version: v1}}, trafficPolicy: {{{policy}}}}}]")) == {
        f"service:{host('ratings')}": kinds
    }
    assert found(text.format("subsets: [{name: v1, labels: {version: v1}}]")) == {}


def authorization(namespace: str, selector: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: it, namespace: {namespace}}}
spec:
  {selector}
  action: DENY
  rules: [{{}}]
"""


def test_authorization_is_shown_at_the_workloads_that_it_selects():
    assert found(authorization("default", "selector: {matchLabels: {app: reviews}}")) == {
        f"workload:default/reviews-v{i}": ["authorization"] for i in (1, 2, 3)
    }
    assert len(found(authorization("default", ""))) == len(WORKLOADS) == len(found(authorization("istio-system", "")))
    assert found(authorization("shop", "")) == {}


def test_a_gateway_is_shown_at_the_proxies_that_it_opens():
    text = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: it, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]
"""
    assert found(text) == {"workload:default/ingressgateway": ["gateway"]}


def test_a_service_entry_is_shown_at_its_host():
    text = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: it, namespace: default}
spec:
  hosts: [api.example.com]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 443, name: https, protocol: HTTPS}]
"""
    assert found(text) == {"service:api.example.com": ["serviceEntry"]}


def test_two_policies_of_one_effect_are_one_badge_the_older_first():
    both = virtual_service(TO_REVIEWS) + "---" + virtual_service(TO_REVIEWS).replace("name: it", "name: also")
    policies, _ = parse(both)
    first, second = policies
    dated = [
        p.model_copy(update={"metadata": p.metadata.model_copy(update={"creation_timestamp": at})})
        for p, at in ((first, "2026-02-01T00:00:00Z"), (second, "2026-01-01T00:00:00Z"))
    ]
    (badge,) = badges.of(dated, SERVICES, WORKLOADS)[f"service:{host('reviews')}"]
    assert [p.name for p in badge.policies] == ["also", "it"]
