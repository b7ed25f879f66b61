"""Every message of `istioctl analyze` that makes sense here, from a document as a user writes it; docs/analysis.md says where each is found."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.analysis import analyze
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload, WorkloadPort
from meshconsole.core.policies import Invalid, parse
from meshconsole.core.resources.catalogue import CATALOGUE
from meshconsole.core.resources.messages import Message
from tests import certificates

PAGE = Path(__file__).parents[3] / "docs" / "analysis.md"
MESH = MeshConfig(private_keysets=True)
WORKLOADS = [
    Workload("istio-system", "gw", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"}),
    Workload(
        "default", "reviews-v1", labels={"app": "reviews", "version": "v1"}, services=("reviews",), ports=(WorkloadPort(9080, "http"),)
    ),
    Workload("default", "shop-v1", labels={"app": "shop"}, services=("shop",), ports=(WorkloadPort(80, "http"), WorkloadPort(81, "http-admin"))),
]  # fmt: skip
API = {
    "AuthorizationPolicy": "security.istio.io/v1",
    "RequestAuthentication": "security.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "EnvoyFilter": "networking.istio.io/v1alpha3",
    "MeshConfig": "meshconsole.io/v1",
    "Secret": "v1",
}


def document(kind: str, spec: str, *, name: str = "mine", namespace: str = "default", field: str = "spec") -> str:
    api = API.get(kind, "networking.istio.io/v1")
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n{field}: {spec}\n"


def gateway(server: str = "port: {number: 80, name: http, protocol: HTTP}", host: str = '"*"', name: str = "edge") -> str:
    return document("Gateway", f"{{selector: {{istio: ingressgateway}}, servers: [{{{server}, hosts: [{host}]}}]}}", name=name)


def route(*rules: str, hosts: str = "reviews", more: str = "", name: str = "mine") -> str:
    return document("VirtualService", f"{{hosts: [{hosts}], {more} http: [{', '.join(rules)}]}}", name=name)


def patch(operation: str, apply_to: str = "HTTP_FILTER", match: str = "", value: str = "") -> str:
    given = f", value: {value}" if value else ""
    entry = f"{{applyTo: {apply_to}, match: {{context: GATEWAY{match}}}, patch: {{operation: {operation}{given}}}}}"
    return document("EnvoyFilter", f"{{configPatches: [{entry}]}}", namespace="istio-system")


TO = "{route: [{destination: {host: reviews}}]}"
TO_V1 = "{route: [{destination: {host: reviews, subset: v1}}]}"
RULE = document("DestinationRule", "{host: reviews, subsets: [{name: v1, labels: {version: v1}}]}")
SIMPLE = "tls: {mode: SIMPLE}"
CERTIFIED = "port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: %s}"
HTTPS = document("ServiceEntry", "{hosts: [a.test], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}", name="https")
CORS = '{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}'
MATCHED = "{match: [{uri: {prefix: %s}}], route: [{destination: {host: reviews}}]}"
LOGS = "accessLogging: [{providers: [{name: envoy}]}]"
ROUTER = ", listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}"
AUTHORITY = json.dumps({"ca.crt": certificates.pair("authority").certificate})
NEGATIVE = RULE + "status: {conditions: [{type: ZtunnelAccepted, status: 'False'}]}\n"


@dataclass
class Case:
    code: str
    on: str
    """Kind and name."""
    documents: tuple[str, ...]


def case(code: str, on: str, *documents: str) -> Case:
    return Case(code, on, documents)


CASES = [
    case("IST0002", "Sidecar mine", document("Sidecar", "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: reviews, port: {number: 9080}}}}")),
    case("IST0101", "VirtualService mine", route(TO, more="gateways: [gone],")),
    case("IST0106", "VirtualService mine", route("{timeout: soon, route: [{destination: {host: reviews}}]}")),
    case("IST0109", "VirtualService other", route(TO), route(TO, name="other")),
    case("IST0110", "Sidecar other", *(document("Sidecar", "{workloadSelector: {labels: {app: reviews}}, egress: [{hosts: ['./*']}]}", name=n) for n in ("mine", "other"))),
    case("IST0111", "Sidecar other", *(document("Sidecar", "{egress: [{hosts: ['./*']}]}", name=n) for n in ("mine", "other"))),
    case("IST0112", "VirtualService mine", route("{route: [{destination: {host: shop}}]}")),
    case("IST0118", "Service odd"),
    case("IST0126", "MeshConfig default", document("MeshConfig", "{meshNetworks: {one: {endpoints: [{fromRegistry: other-cluster}]}}}", name="default", namespace="istio-system")),
    case("IST0127", "AuthorizationPolicy mine", document("AuthorizationPolicy", "{selector: {matchLabels: {app: nobody}}}")),
    case("IST0128", "DestinationRule mine", HTTPS, document("DestinationRule", f"{{host: a.test, trafficPolicy: {{{SIMPLE}}}}}")),
    case("IST0129", "DestinationRule mine", HTTPS, document("DestinationRule", f"{{host: a.test, trafficPolicy: {{portLevelSettings: [{{port: {{number: 443}}, {SIMPLE}}}]}}}}")),
    case("IST0130", "VirtualService mine", route(TO, TO)),
    case("IST0131", "VirtualService mine", route(MATCHED % "/a", "{match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [{destination: {host: reviews}}]}")),
    case("IST0132", "VirtualService mine", gateway(host="a.test"), route(TO, hosts="b.test", more="gateways: [edge],")),
    case("IST0133", "Gateway mine", document("Gateway", "{selector: {istio: ingressgateway}, servers: []}")),
    case("IST0134", "ServiceEntry mine", document("ServiceEntry", "{hosts: [db.test], resolution: DNS, ports: [{number: 5432, name: db, protocol: TCP}]}")),
    case("IST0138", "Gateway other", gateway(CERTIFIED % "shop", "a.test"), gateway(CERTIFIED % "shop", "b.test", name="other")),
    case("IST0140", "VirtualService other", RULE, gateway(), route(TO_V1), route(TO, hosts="a.test", more="gateways: [edge],", name="other")),
    case("IST0145", "Gateway other", gateway(host="a.test"), gateway(host="a.test", name="other")),
    case("IST0149", "VirtualService mine", gateway(), route("{match: [{headers: {'@request.auth.claims.group': {exact: dev}}}], route: [{destination: {host: reviews}}]}", hosts="a.test", more="gateways: [edge],")),
    case("IST0151", "EnvoyFilter mine", patch("INSERT_BEFORE", match=ROUTER, value=CORS)),
    case("IST0152", "EnvoyFilter mine", patch("REPLACE", "CLUSTER", value="{name: x}")),
    case("IST0153", "EnvoyFilter mine", patch("ADD", "HTTP_ROUTE", value="{name: x, match: {prefix: /}, direct_response: {status: 204}}")),
    case("IST0154", "EnvoyFilter mine", patch("REMOVE", "ROUTE_CONFIGURATION")),
    case("IST0155", "EnvoyFilter mine", document("EnvoyFilter", f"{{configPatches: [{{applyTo: HTTP_FILTER, match: {{proxy: {{proxyVersion: '^1.*'}}{ROUTER}}}, patch: {{operation: INSERT_FIRST, value: {CORS}}}}}, {{applyTo: HTTP_FILTER, match: {{context: GATEWAY{ROUTER}}}, patch: {{operation: INSERT_BEFORE, value: {CORS}}}}}]}}")),
    case("IST0157", "Telemetry mine", document("Telemetry", "{accessLogging: [{disabled: true}]}")),
    case("IST0159", "Telemetry other", *(document("Telemetry", f"{{selector: {{matchLabels: {{app: reviews}}}}, {LOGS}}}", name=n) for n in ("mine", "other"))),
    case("IST0160", "Telemetry other", *(document("Telemetry", f"{{{LOGS}}}", name=n) for n in ("mine", "other"))),
    case("IST0161", "Gateway edge", document("Secret", AUTHORITY, name="shop", namespace="istio-system", field="stringData"), gateway(CERTIFIED % "shop")),
    case("IST0165", "VirtualService mine", route(TO, hosts="a.test", more="gateways: [default/edge-1-~istio-autogenerated-k8s-gateway],")),
    case("IST0167", "MeshConfig default", document("MeshConfig", "{}", name="default")),
    case("IST0171", "DestinationRule mine", NEGATIVE),
    case("IST0173", "DestinationRule mine", RULE.replace("version: v1", "version: v9")),
    case("IST0174", "DestinationRule mine", RULE.replace("reviews", "gone")),
    case("IST0175", "RequestAuthentication mine", document("RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: 'https://a.test/keys'}]}")),
    case("IST0177", "ServiceEntry other", *(document("ServiceEntry", f"{{hosts: [a.test], resolution: DNS, ports: [{{number: 80, name: a, protocol: {p}}}]}}", name=n) for n, p in (("mine", "HTTP"), ("other", "TLS")))),
]  # fmt: skip
ODD = Workload("default", "odd-v1", labels={"app": "odd"}, services=("odd",), ports=(WorkloadPort(1234, "oddity"),))


def told(documents: tuple[str, ...]) -> list[Message]:
    """What the door says, and then what the analyzers do."""
    try:
        policies, messages = parse("\n---\n".join(documents)) if documents else ([], [])
    except Invalid as invalid:
        return invalid.messages
    return [*messages, *analyze(policies, [*WORKLOADS, ODD] if not documents else WORKLOADS, MESH)]


@pytest.mark.parametrize("each", CASES, ids=[each.code for each in CASES])
def test_each_code_of_istio_is_told_of_the_object_that_it_is_about(each: Case):
    found = {(m.code, f"{m.key.kind} {m.key.name}" if m.key else "") for m in told(each.documents)}
    assert (each.code, each.on) in found, sorted(found)


def test_the_page_lists_each_code_with_its_level():
    rows = dict(re.findall(r"^\| (IST\d{4}) \| (\w+) \|", PAGE.read_text(), re.MULTILINE))
    assert {code: str(CATALOGUE[code].level) for code in rows} == rows
    assert {each.code for each in CASES} <= rows.keys()
    assert rows.keys() == {code for code in CATALOGUE if code.startswith("IST")}
