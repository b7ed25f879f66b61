"""One mesh, one mistake each: which code, on which object, at which field."""

from dataclasses import replace

import pytest

from meshconsole.core.analysis import analyze
from meshconsole.core.mesh.model import MeshConfig, Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.policies import parse

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: %s, namespace: %s}
spec:
  selector: {istio: ingressgateway}
  servers:
    - port: {number: 80, name: http, protocol: HTTP}
      hosts: [%s]
"""
VIRTUAL_SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: default}
spec:
  hosts: [%s]
  %s
  http:
%s
"""
TO_REVIEWS = "    - route: [{destination: {host: reviews}}]"


def workload(
    name: str, namespace: str = "default", *, kind: ProxyKind = ProxyKind.SIDECAR, ports: tuple[int, ...] = (9080,), **labels: str
) -> Workload:
    services = () if kind is ProxyKind.GATEWAY else (name.partition("-")[0],)
    labels = labels or {"app": name.partition("-")[0], "version": name.partition("-")[2]}
    found = tuple(WorkloadPort(port, f"http-{port}", Protocol.HTTP) for port in ports)
    return Workload(namespace, name, kind, labels=labels, services=services, ports=found)


WORKLOADS = [
    workload("gw", "istio-system", kind=ProxyKind.GATEWAY, ports=(), istio="ingressgateway"),
    workload("reviews-v1"),
    workload("reviews-v2"),
    workload("shop-v1", ports=(80, 81)),
]


def found(*documents: str, workloads: list[Workload] | None = WORKLOADS) -> list[tuple[str, str, str]]:
    policies, _ = parse("\n---\n".join(documents))
    return [(m.code, f"{m.key.kind} {m.key.name}" if m.key else "", m.path) for m in analyze(policies, workloads, MeshConfig())]


def texts(*documents: str) -> list[str]:
    policies, _ = parse("\n---\n".join(documents))
    return [m.text for m in analyze(policies, WORKLOADS, MeshConfig())]


def virtual_service(name: str = "vs", hosts: str = "reviews", more: str = "", http: str = TO_REVIEWS) -> str:
    return VIRTUAL_SERVICE % (name, hosts, more, http)


def test_a_mesh_without_mistakes_has_no_findings():
    assert found(virtual_service(), GATEWAY % ("g", "default", '"*"')) == []


def test_a_gateway_that_is_not_there():
    assert found(virtual_service(hosts="a.example.com", more="gateways: [mesh, gone]")) == [
        ("IST0101", "VirtualService vs", "spec.gateways[1]")
    ]


@pytest.mark.parametrize(
    ("served", "fits"),
    [
        ("a.example.com", True),
        ('"*.example.com"', True),
        ("b.example.com", False),
        ("other/a.example.com", False),
        ("./a.example.com", True),
    ],
)
def test_a_gateway_that_serves_none_of_the_hosts(served: str, fits: bool):
    codes = [code for code, *_ in found(GATEWAY % ("g", "default", served), virtual_service(hosts="a.example.com", more="gateways: [g]"))]
    assert codes == ([] if fits else ["IST0132"])


def test_a_destination_that_nobody_declares():
    route = "    - route: [{destination: {host: nobody}}]\n      mirror: {host: nowhere.example.com}"
    assert found(virtual_service(http=route)) == [
        ("IST0101", "VirtualService vs", "spec.http[0].mirror.host"),
        ("IST0101", "VirtualService vs", "spec.http[0].route[0].destination.host"),
    ]


def test_a_service_with_several_ports_needs_one_chosen():
    assert found(virtual_service(http="    - route: [{destination: {host: shop}}]")) == [
        ("IST0112", "VirtualService vs", "spec.http[0].route[0].destination")
    ]
    assert found(virtual_service(http="    - route: [{destination: {host: shop, port: {number: 81}}}]")) == []
    assert 'Referenced host:port not found: "shop:82"' in texts(
        virtual_service(http="    - route: [{destination: {host: shop, port: {number: 82}}}]")
    )


RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: dr, namespace: default}
spec:
  host: %s
  %s
"""


def test_a_subset_that_no_destination_rule_defines():
    rule = RULE % ("reviews.default.svc.cluster.local", "subsets: [{name: v1, labels: {version: v1}}]")
    good, bad = (virtual_service(http=f"    - route: [{{destination: {{host: reviews, subset: {name}}}}}]") for name in ("v1", "v9"))
    assert found(rule, good) == []
    assert found(rule, bad) == [("IST0101", "VirtualService vs", "spec.http[0].route[0].destination.subset")]
    assert 'Referenced host+subset in destinationrule not found: "reviews+v9"' in texts(rule, bad)


def test_a_subset_without_workloads_and_a_host_without_a_service():
    assert found(RULE % ("reviews", "subsets: [{name: v9, labels: {version: v9}}]")) == [
        ("IST0173", "DestinationRule dr", "spec.subsets[0]")
    ]
    assert found(RULE % ("nobody", "subsets: [{name: v9, labels: {version: v9}}]")) == [("IST0174", "DestinationRule dr", "spec.host")]
    assert found(RULE % ('"*.default.svc.cluster.local"', "")) == []


def test_tls_without_anyone_to_trust():
    assert found(RULE % ("reviews", "trafficPolicy: {tls: {mode: SIMPLE}}")) == [
        ("IST0128", "DestinationRule dr", "spec.trafficPolicy.tls")
    ]
    assert found(RULE % ("reviews", "trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}")) == []
    port = "trafficPolicy: {portLevelSettings: [{port: {number: 9080}, tls: {mode: SIMPLE}}]}"
    assert found(RULE % ("reviews", port)) == [("IST0129", "DestinationRule dr", "spec.trafficPolicy.portLevelSettings[0].tls")]


def test_two_virtual_services_for_one_host_of_the_mesh():
    assert found(virtual_service("a"), virtual_service("b", "reviews.default.svc.cluster.local")) == [
        ("IST0109", "VirtualService a", "spec.hosts[0]"),
        ("IST0109", "VirtualService b", "spec.hosts[0]"),
    ]


def test_virtual_services_that_no_namespace_sees_together_do_not_conflict():
    assert found(virtual_service("a", more="exportTo: [one]"), virtual_service("b", more="exportTo: [two]")) == []
    assert found(virtual_service("a", more="exportTo: [one]"), virtual_service("b", more='exportTo: ["."]')) == []
    assert len(found(virtual_service("a", more="exportTo: [default]"), virtual_service("b", more='exportTo: ["."]'))) == 2


def test_virtual_services_of_gateways_alone_are_merged_and_do_not_conflict():
    gateway = GATEWAY % ("g", "default", '"*"')
    assert found(gateway, virtual_service("a", more="gateways: [g]"), virtual_service("b", more="gateways: [g]")) == []


def rules(*matches: str) -> str:
    route = "route: [{destination: {host: reviews}}]"
    return virtual_service(http="\n".join(f"    - match: {match}\n      {route}" if match else f"    - {route}" for match in matches))


def test_a_rule_after_a_catch_all_without_matches():
    assert found(rules("", "")) == [("IST0130", "VirtualService vs", "spec.http[1]")]
    assert "VirtualService rule #1 not used (only the last rule can have no matches)." in texts(rules("", ""))


def test_a_rule_whose_matches_were_all_taken():
    assert found(rules("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a}}]")) == [
        ("IST0130", "VirtualService vs", "spec.http[1]"),
        ("IST0131", "VirtualService vs", "spec.http[1].match[0]"),
    ]
    assert found(rules("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a}}, {uri: {prefix: /b}}]")) == [
        ("IST0131", "VirtualService vs", "spec.http[1].match[0]")
    ]


@pytest.mark.parametrize(
    ("first", "second", "overlaps"),
    [
        ("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}, method: {exact: GET}}", True),
        ("{uri: {prefix: /a}, method: {exact: GET}}", "{uri: {prefix: /a/b}, method: {exact: POST}}", False),
        ("{uri: {prefix: /a}, method: {exact: GET}}", "{uri: {prefix: /a/b}}", False),
        ("{uri: {prefix: /a/b}}", "{uri: {prefix: /a}}", False),
        ("{uri: {prefix: /}}", "{uri: {exact: /}}", False),
    ],
)
def test_a_longer_prefix_behind_a_shorter_one(first: str, second: str, overlaps: bool):
    assert [code for code, *_ in found(rules(f"[{first}]", f"[{second}]"))] == (["IST0131"] if overlaps else [])


SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: %s, namespace: default}
spec:
  %s
  egress: [{hosts: ["./*"]}]
"""


def test_sidecars_that_select_nobody_or_the_same_workload():
    by_app, by_version = "workloadSelector: {labels: {app: reviews}}", "workloadSelector: {labels: {version: v1, app: reviews}}"
    assert found(SIDECAR % ("s", "workloadSelector: {labels: {app: nobody}}")) == [("IST0101", "Sidecar s", "spec.workloadSelector.labels")]
    assert [f[:2] for f in found(SIDECAR % ("a", by_app), SIDECAR % ("b", by_version))] == [
        ("IST0110", "Sidecar a"),
        ("IST0110", "Sidecar b"),
    ]


def test_two_sidecars_for_a_whole_namespace():
    assert [f[:2] for f in found(SIDECAR % ("a", ""), SIDECAR % ("b", ""))] == [("IST0111", "Sidecar a"), ("IST0111", "Sidecar b")]
    assert 'The Sidecars [a b] in namespace "default" have no workload selector, which can lead to undefined behavior.' in texts(
        SIDECAR % ("a", ""), SIDECAR % ("b", "")
    )


def test_gateways_that_want_one_host_at_one_port():
    one = GATEWAY % ("one", "default", '"*.example.com"')
    assert [f[:2] for f in found(one, GATEWAY % ("two", "default", "a.example.com"))] == [
        ("IST0145", "Gateway one"),
        ("IST0145", "Gateway two"),
    ]
    assert found(one, GATEWAY % ("two", "default", "a.example.org")) == []
    assert found(GATEWAY % ("one", "default", "a/x.example.com"), GATEWAY % ("two", "default", "b/x.example.com")) == []


def test_a_gateway_that_no_proxy_serves():
    elsewhere = (GATEWAY % ("g", "default", '"*"')).replace("ingressgateway", "nowhere")
    of_a_sidecar = (GATEWAY % ("g", "default", '"*"')).replace("istio: ingressgateway", "app: reviews")
    assert found(elsewhere) == found(of_a_sidecar) == [("IST0101", "Gateway g", "spec.selector")]


def test_one_certificate_on_two_gateways():
    def tls(name: str, host: str, certificate: str) -> str:
        files = f"tls: {{mode: SIMPLE, serverCertificate: {certificate}, privateKey: /key.pem}}"
        return (GATEWAY % (name, "default", host)).replace("protocol: HTTP}", "protocol: HTTPS}") + f"      {files}\n"

    assert [f[:2] for f in found(tls("a", "a.example.com", "/c.pem"), tls("b", "b.example.com", "/c.pem"))] == [
        ("IST0138", "Gateway a"),
        ("IST0138", "Gateway b"),
    ]
    assert found(tls("a", "a.example.com", "/c.pem"), tls("b", "b.example.com", "/d.pem")) == []


POLICY = """
apiVersion: security.istio.io/v1
kind: %s
metadata: {name: p, namespace: %s}
spec: %s
"""


def test_a_security_policy_for_nobody():
    nobody = "{selector: {matchLabels: {app: nobody, version: v1}}}"
    assert found(POLICY % ("AuthorizationPolicy", "default", nobody)) == [("IST0127", "AuthorizationPolicy p", "spec.selector")]
    assert found(POLICY % ("PeerAuthentication", "empty", "{}")) == [("IST0127", "PeerAuthentication p", "spec.selector")]
    assert found(POLICY % ("AuthorizationPolicy", "istio-system", "{}")) == []
    assert found(POLICY % ("AuthorizationPolicy", "istio-system", "{selector: {matchLabels: {app: reviews}}}")) == []
    text = "No matching workloads for this resource with the following labels: app=nobody,version=v1"
    assert text in texts(POLICY % ("AuthorizationPolicy", "default", nobody))


def test_a_namespace_that_nobody_knows():
    spec = "{rules: [{from: [{source: {namespaces: [default, istio-*, '*-bogus', bogus]}}]}]}"
    assert found(POLICY % ("AuthorizationPolicy", "default", spec)) == [
        ("IST0101", "AuthorizationPolicy p", f"spec.rules[0].from[0].source.namespaces[{i}]") for i in (2, 3)
    ]


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: %s}
spec:
  hosts: [db.example.com]
  resolution: DNS
  %s
  ports: [{number: 5432, name: db, protocol: %s}]
"""


def test_a_tcp_port_without_an_address():
    assert found(ENTRY % ("e", "default", "", "TCP")) == [("IST0134", "ServiceEntry e", "spec.ports[0].protocol")]
    assert found(ENTRY % ("e", "default", "addresses: [10.0.0.1]", "TCP")) == []
    assert found(ENTRY % ("e", "default", "", "HTTP")) == []


def test_service_entries_that_disagree_about_a_port():
    assert [f[:2] for f in found(ENTRY % ("a", "default", "", "TLS"), ENTRY % ("b", "default", "", "HTTP"))] == [
        ("IST0177", "ServiceEntry a"),
        ("IST0177", "ServiceEntry b"),
    ]
    assert found(ENTRY % ("a", "one", 'exportTo: ["."]', "TLS"), ENTRY % ("b", "two", 'exportTo: ["."]', "HTTP")) == []


def test_a_port_whose_name_says_no_protocol():
    named = Workload(
        "default", "odd-v1", labels={"app": "odd"}, services=("odd",), ports=(WorkloadPort(1234, "oddity"), WorkloadPort(3306, "db"))
    )
    assert found(virtual_service(), workloads=[*WORKLOADS, named]) == [("IST0118", "Service odd", "")]


def test_where_nobody_knows_what_runs_nothing_is_said_about_it():
    documents = [
        virtual_service(http="    - route: [{destination: {host: nobody}}]"),
        RULE % ("nobody", ""),
        SIDECAR % ("s", "workloadSelector: {labels: {app: nobody}}"),
        GATEWAY % ("g", "default", '"*"'),
        POLICY % ("AuthorizationPolicy", "default", "{selector: {matchLabels: {app: nobody}}}"),
    ]
    assert found(*documents, workloads=None) == []
    assert len(found(*documents, workloads=[])) == 5


def test_a_gateway_whose_route_goes_past_the_subsets_of_another_virtual_service():
    subset = "    - route: [{destination: {host: reviews, subset: v1}}]"
    rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}"
    inside = virtual_service("inside", http=subset)
    edge = virtual_service("edge", hosts="a.example.com", more="gateways: [g]")
    assert found(rule, inside, edge, GATEWAY % ("g", "default", '"*"')) == [
        ("IST0140", "VirtualService edge", "spec.http[0].route[0].destination.host")
    ]
    both = virtual_service("edge", hosts="a.example.com", more="gateways: [g]", http=subset)
    assert found(rule, inside, both, GATEWAY % ("g", "default", '"*"')) == []


def test_a_sidecar_with_a_deprecated_egress_proxy():
    sidecar = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: ["./*"]}], outboundTrafficPolicy: {mode: ALLOW_ANY%s}}
"""
    assert found(sidecar % ", egressProxy: {host: reviews.default.svc.cluster.local, port: {number: 9080}}") == [
        ("IST0002", "Sidecar default", "spec.outboundTrafficPolicy.egressProxy")
    ]
    assert found(sidecar % "") == []


@pytest.mark.parametrize(
    ("api", "kind", "spec", "code"),
    [
        ("networking.istio.io/v1beta1", "ProxyConfig", "concurrency: 1", "IST0127"),
        ("meshconsole.io/v1", "RateLimit", "limits: [{requests: 1}]", "IST0127"),
        ("telemetry.istio.io/v1", "Telemetry", "accessLogging: [{disabled: true, providers: [{name: envoy}]}]", "IST0101"),
    ],
)
def test_a_policy_for_workloads_that_are_not_there(api, kind, spec, code):
    document = "apiVersion: %s\nkind: %s\nmetadata: {name: p}\nspec: {selector: {matchLabels: {app: %s}}, %s}"
    assert found(document % (api, kind, "gone", spec)) == [(code, f"{kind} p", "spec.selector")]
    assert found(document % (api, kind, "reviews", spec)) == []


def test_a_tcp_port_that_means_an_older_service():
    def entry(name: str, more: str = "", protocol: str = "TCP") -> str:
        return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.test]
  resolution: STATIC
  ports: [{{number: 5432, name: main, protocol: {protocol}}}]
  {more}
"""

    mine = ("MSH0151", "ServiceEntry b", "spec.ports[0].number")
    assert mine in found(entry("a"), entry("b"))
    assert mine not in found(entry("a"), entry("b", "addresses: [127.9.9.9]"))
    assert mine not in found(entry("a"), entry("b", protocol="TLS"))
    assert mine not in found(entry("a", "exportTo: [elsewhere]"), entry("b", "exportTo: [.]"))


def test_a_tcp_port_that_a_proxy_cannot_listen_at():
    def entry(more: str = "", protocol: str = "TCP") -> str:
        return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: db, namespace: default}}
spec:
  hosts: [db.test]
  resolution: STATIC
  ports: [{{number: 443, name: main, protocol: {protocol}}}]
  {more}
"""

    def told(document: str, *workloads: Workload) -> list[str]:
        policies, _ = parse(document)
        return [str(m.level) for m in analyze(policies, list(workloads), MeshConfig()) if m.code == "MSH0152"]

    client = Workload("default", "client-v1", address="127.0.3.1", outbound_address="127.0.0.1")
    there = Workload("default", "there-v1", address="127.0.0.1", outbound_address="127.0.3.2", ports=(WorkloadPort(443, "tcp"),))
    assert told(entry(), client) == [] and told(entry(), client, there) == ["Warning"]
    assert told(entry("addresses: [127.9.9.9]"), client, there) == [] and told(entry(protocol="HTTP"), client, there) == []
    assert told(entry("exportTo: [other]"), client, there) == []
    assert told(entry(), replace(client, lowest_port=1024)) == ["Info"]
