"""Which route, which rule, which host: what several policies mean together, on real requests through a sidecar and a gateway."""

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.policies import parse
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

from .test_traffic_with_envoy import Answer, Instance

pytestmark = pytest.mark.envoy

POLICIES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.test, wide.other.test, hidden.test]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {http: ${a}}, labels: {app: a, version: v1}}
  - {address: 127.0.0.1, ports: {http: ${b}}, labels: {app: b, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere, namespace: other}
spec:
  hosts: [private.test]
  exportTo: ["."]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: ${a}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop.test
  subsets: [{name: a, labels: {app: a}}, {name: b, labels: {app: b}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  hosts: [shop.test]
  http:
  - {match: [{uri: {prefix: /team}}], delegate: {name: team, namespace: other}, headers: {request: {set: {x-root: "1"}}}}
  - {match: [{uri: {prefix: /first}}], directResponse: {status: 201}}
  - {match: [{uri: {prefix: /first/never}}], directResponse: {status: 202}}
  - {match: [{sourceLabels: {app: stranger}}], directResponse: {status: 203}}
  - {match: [{sourceLabels: {app: client}, uri: {exact: /mine}}], directResponse: {status: 204}}
  - {route: [{destination: {host: shop.test, subset: a}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: team, namespace: other}
spec:
  http:
  - {match: [{uri: {exact: /team/b}}], route: [{destination: {host: shop.test, subset: b}}]}
  - {match: [{uri: {prefix: /outside}}], directResponse: {status: 205}}
---
# Of the same host, younger: a sidecar never merges.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: younger, creationTimestamp: "2026-01-02T00:00:00Z"}
spec: {hosts: [shop.test], http: [{match: [{uri: {prefix: /younger}}], directResponse: {status: 206}}]}
---
# A wildcard, though older, speaks only where nobody speaks of the host itself.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wide, creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {hosts: ["*.test"], http: [{match: [{uri: {prefix: /wide}}], directResponse: {status: 207}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: not-for-others, namespace: other}
spec: {hosts: [hidden.test], exportTo: ["."], http: [{directResponse: {status: 208}}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {outboundTrafficPolicy: {}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: gateways}
spec:
  selector: {istio: edge}
  servers:
  - {port: {number: ${edge}, name: http, protocol: HTTP}, hosts: ["default/*.test"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: all, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {hosts: [shop.test], gateways: [gateways/edge], http: [{route: [{destination: {host: shop.test, subset: a}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: some, creationTimestamp: "2026-01-02T00:00:00Z"}
spec: {hosts: [shop.test], gateways: [gateways/edge], http: [{match: [{uri: {prefix: /b}}], route: [{destination: {host: shop.test, subset: b}}]}]}
---
# The server admits namespace default only.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: intruder, namespace: other}
spec: {hosts: [intruder.test], gateways: [gateways/edge], http: [{directResponse: {status: 200}}]}
"""


@dataclass
class Both:
    outbound: int
    edge: int

    def get(self, path: str, host: str = "shop.test", *, at: str = "outbound") -> Answer:
        asked = http.client.HTTPConnection("127.0.0.1", getattr(self, at), timeout=5)
        asked.request("GET", path, headers={"Host": host})
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, 0)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("routing")
    with ExitStack() as stack:
        instances = {name: Instance(name) for name in ("a", "b")}
        for each in instances.values():
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        outbound, edge, admin_a, admin_b = free_ports(4)
        text = POLICIES.replace("${edge}", str(edge))
        for name, each in instances.items():
            text = text.replace(f"${{{name}}}", str(each.server_address[1]))
        client = workload("client-v1", ports=(), outbound_port=outbound)
        gateway = Workload("gateways", "gw", ProxyKind.GATEWAY, labels={"istio": "edge"})
        mesh = snapshot(parse(text)[0], [client, gateway])
        asked = Demand(frozenset({"shop.test", "wide.other.test", "hidden.test", "private.test", "nobody.example", "new.test"}))
        for each, demand, admin in ((client, asked, admin_a), (gateway, Demand(), admin_b)):
            resources = Compiler().compile(mesh, each, demand)
            assert not resources.failures
            config = bootstrap.static([(each.name, resources)], bootstrap.Authority().issue("default", "a"), admin=admin, apart=False)
            stack.enter_context(bootstrap.running(config, folder, each.name))
        yield Both(outbound, edge)


def test_the_first_rule_that_fits_is_it(both: Both):
    assert [both.get(path).status for path in ("/first", "/first/never", "/mine", "/else")] == [201, 201, 204, 200]


def test_a_delegate_serves_what_it_was_handed_and_no_more(both: Both):
    seen = both.get("/team/b").seen
    assert seen["instance"] == "b" and seen["headers"]["x-root"] == "1"
    assert both.get("/team/else").seen["instance"] == "a"
    assert both.get("/outside").status == 200


def test_a_sidecar_takes_the_oldest_of_a_host_and_a_gateway_merges_them_with_the_catch_all_last(both: Both):
    assert both.get("/younger").status == 200
    assert both.get("/b/1", at="edge").seen["instance"] == "b"
    assert both.get("/else", at="edge").seen["instance"] == "a"


def test_a_wildcards_rules_are_for_hosts_that_have_none_of_their_own(both: Both):
    assert both.get("/wide").status == 200
    assert both.get("/wide", "wide.other.test").status == 207
    assert both.get("/else", "wide.other.test").status == 404


def test_what_another_namespace_keeps_for_itself_is_unknown_here(both: Both):
    assert both.get("/wide", "hidden.test").status == 207  # and not 208
    assert both.get("/", "private.test").status == 404  # the wildcard's, which has no rule for it


def test_an_empty_outbound_traffic_policy_refuses_undeclared_hosts(both: Both):
    assert both.get("/", "nobody.example").status == 502
    assert both.get("/wide", "new.test").status == 207  # a VirtualService speaks of it


def test_a_server_admits_the_namespaces_that_it_names(both: Both):
    assert both.get("/", "intruder.test", at="edge").status == 404
