"""EnvoyFilters that do nothing are told so."""

import pytest

from meshconsole.core.analysis import analyze
from meshconsole.core.mesh.model import MeshConfig, Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.policies import parse

GATEWAY = Workload("istio-system", "edge", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"})
REVIEWS = Workload(
    "default", "reviews-v1", labels={"app": "reviews"}, services=("reviews",), ports=(WorkloadPort(9080, "http", Protocol.HTTP),)
)
MYSQL = Workload("default", "mysql-v1", labels={"app": "mysql"}, services=("mysql",), ports=(WorkloadPort(3306, "tcp", Protocol.TCP),))
CORS = '{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}'
ROUTER = "filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: %s}}}"


def found(
    match: str,
    *,
    apply_to: str = "HTTP_FILTER",
    labels: str = "",
    namespace: str = "default",
    value: str = "{name: x}",
    operation: str = "MERGE",
) -> list[tuple[str, str]]:
    selector = f"workloadSelector: {{labels: {{{labels}}}}}" if labels else ""
    policies, _ = parse(f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: f, namespace: {namespace}}}
spec:
  {selector}
  priority: 1
  configPatches:
  - applyTo: {apply_to}
    match: {match}
    patch: {{operation: {operation}, value: {value}}}
""")
    return [(m.code, m.path) for m in analyze(policies, [GATEWAY, REVIEWS, MYSQL], MeshConfig())]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"match": f"{{listener: {{{ROUTER % 'istio.stats'}}}}}"}, "listener.filterChain.filter.subFilter.name"),
        ({"match": "{context: SIDECAR_INBOUND, listener: {portNumber: 8080}}"}, "listener.portNumber"),
        ({"match": "{context: SIDECAR_OUTBOUND, listener: {portNumber: 9080}}"}, "listener.portNumber"),
        (
            {"match": "{context: SIDECAR_OUTBOUND, listener: {portNumber: 9999}}", "operation": "INSERT_FIRST", "value": CORS},
            "listener.portNumber",
        ),
        ({"match": "{context: GATEWAY}"}, "context"),
        ({"match": "{context: SIDECAR_INBOUND}", "namespace": "istio-system", "labels": "istio: ingressgateway"}, "context"),
        (
            {"match": "{context: SIDECAR_OUTBOUND, routeConfiguration: {name: '9080'}}", "apply_to": "ROUTE_CONFIGURATION"},
            "routeConfiguration.name",
        ),
        (
            {
                "match": "{context: GATEWAY, routeConfiguration: {name: http.80, portName: http}}",
                "apply_to": "VIRTUAL_HOST",
                "namespace": "istio-system",
            },
            "routeConfiguration",
        ),
        ({"match": "{cluster: {service: reviews}}", "apply_to": "CLUSTER"}, "cluster.service"),
    ],
)
def test_a_patch_for_what_no_proxy_has(options, path):
    assert found(**options) == [("MSH0150", f"spec.configPatches[0].match.{path}")]


@pytest.mark.parametrize(
    "options",
    [
        {"match": f"{{context: SIDECAR_INBOUND, listener: {{portNumber: 9080, {ROUTER % 'envoy.filters.http.router'}}}}}"},
        {"match": "{context: SIDECAR_OUTBOUND, listener: {portNumber: 3306}}", "apply_to": "NETWORK_FILTER"},
        {"match": "{context: SIDECAR_OUTBOUND, listener: {portNumber: 15001}}"},
        {"match": "{context: SIDECAR_OUTBOUND, listener: {portNumber: 9080}}", "operation": "INSERT_FIRST", "value": CORS},
        {"match": "{context: SIDECAR_INBOUND, listener: {portNumber: 15006}}", "apply_to": "LISTENER"},
        {"match": "{context: GATEWAY}", "namespace": "istio-system"},
        {"match": "{context: SIDECAR_OUTBOUND, routeConfiguration: {name: '9080'}}", "apply_to": "VIRTUAL_HOST"},
        {"match": "{cluster: {service: reviews.default.svc.cluster.local}}", "apply_to": "CLUSTER"},
        {"match": f"{{listener: {{{ROUTER % 'istio.stats'}}}}}", "value": "{name: istio.stats}"},
    ],
)
def test_a_patch_for_what_there_is(options):
    assert found(**options) == []


def test_a_selector_that_selects_nobody():
    assert found("{context: SIDECAR_INBOUND}", labels="app: gone") == [("IST0127", "spec.workloadSelector")]
