"""EnvoyFilters act on real requests through a real Envoy."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.policies import parse
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

from .test_traffic_with_envoy import Instance

pytestmark = pytest.mark.envoy
SAMPLE = Path(__file__).parent / "envoy_filter_rate_limit.yaml"

FILTERS = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: lua, namespace: default}
spec:
  workloadSelector: {labels: {app: reviews}}
  priority: 1
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: %(inbound)d
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          inlineCode: |
            function envoy_on_request(handle)
              handle:headers():add("x-lua", "yes")
              local headers, body = handle:httpCall("oracle", {[":method"] = "GET", [":path"] = "/ask", [":authority"] = "oracle"}, "", 2000)
              handle:headers():add("x-oracle", headers[":status"])
            end
  - applyTo: CLUSTER
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: ADD
      value:
        name: oracle
        connect_timeout: 1s
        load_assignment:
          cluster_name: oracle
          endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %(oracle)d}}}}]}]
  - applyTo: HTTP_ROUTE
    match: {context: SIDECAR_INBOUND, routeConfiguration: {vhost: {name: "inbound|http|%(inbound)d", route: {action: ANY}}}}
    patch:
      operation: INSERT_FIRST
      value: {name: teapot, match: {path: /teapot}, direct_response: {status: 418}}
  - applyTo: HTTP_ROUTE
    match: {context: SIDECAR_INBOUND, routeConfiguration: {vhost: {name: "inbound|http|%(inbound)d", route: {name: default}}}}
    patch: {operation: MERGE, value: {route: {timeout: 0.3s}}}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: outbound, namespace: default}
spec:
  workloadSelector: {labels: {app: reviews}}
  priority: 1
  configPatches:
  - applyTo: CLUSTER
    match: {context: SIDECAR_OUTBOUND, cluster: {service: backend.test}}
    patch:
      operation: MERGE_AND_REPLACE_LIST
      value: {circuit_breakers: {thresholds: [{max_requests: 0}]}}
  - applyTo: VIRTUAL_HOST
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: ADD
      value: {name: magic, domains: [magic.test], routes: [{match: {prefix: /}, direct_response: {status: 203}}]}
  - applyTo: VIRTUAL_HOST
    match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: "80", vhost: {name: "gone.test:80"}}}
    patch: {operation: REMOVE}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: one-port, namespace: default}
spec:
  priority: 2
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_OUTBOUND
      listener:
        portNumber: 8080
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}
    patch: {operation: INSERT_BEFORE, value: {name: told, typed_config: {"@type": LUA, inlineCode: "MARK('first')"}}}
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {name: 0.0.0.0_8081}}
    patch: {operation: INSERT_FIRST, value: {name: told, typed_config: {"@type": LUA, inlineCode: "MARK('second')"}}}
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_OUTBOUND, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch: {operation: INSERT_BEFORE, value: {name: everywhere, typed_config: {"@type": LUA, inlineCode: "MARK('everywhere')"}}}
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_OUTBOUND
      listener:
        portNumber: 8081
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: everywhere}}}
    patch: {operation: REMOVE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ported, namespace: default}
spec:
  hosts: [ported.test]
  ports: [{number: 8080, name: http, protocol: HTTP}, {number: 8081, name: http-two, protocol: HTTP}, {number: 8082, name: http-three, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: %(oracle)d, http-two: %(oracle)d, http-three: %(oracle)d}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: backend, namespace: default}
spec:
  hosts: [backend.test, gone.test]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: %(oracle)d}}]
"""
FILTERS = FILTERS.replace("LUA", "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua")
for _word in ("first", "second", "everywhere"):
    FILTERS = FILTERS.replace(f"MARK('{_word}')", f"function envoy_on_request(h) h:headers():add('x-told', '{_word}') end")


@dataclass
class Proxy:
    inbound: int
    outbound: int
    application: Instance
    oracle: Instance

    def ask(self, path: str, port: int = 0, host: str = "reviews", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.inbound, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    application, oracle = Instance("application"), Instance("oracle")
    inbound, outbound, admin = free_ports(3)
    sample = SAMPLE.read_text().replace("9080", str(inbound))
    policies, _ = parse(FILTERS % {"inbound": inbound, "oracle": oracle.server_address[1]} + "---\n" + sample)
    reviews = workload("reviews-v1", port=inbound, app_port=application.server_address[1], outbound_port=outbound)
    demand = Demand(frozenset({"backend.test", "gone.test", *(f"ported.test:{port}" for port in (8080, 8081, 8082))}))
    resources = Compiler().compile(snapshot(policies, [reviews]), reviews, demand)
    assert not resources.failures
    config = bootstrap.static([("a", resources)], bootstrap.Authority().issue("default", "a"), admin=admin, apart=False)
    with bootstrap.running(config, tmp_path_factory.mktemp("patched"), "reviews"):
        yield Proxy(inbound, outbound, application, oracle)
    for each in (application, oracle):
        each.shutdown()
        each.server_close()


def test_a_lua_filter_adds_a_header_and_asks_a_cluster_that_was_added(proxy: Proxy):
    status, _, body = proxy.ask("/")
    assert status == 200 and b'"x-lua": "yes"' in body and b'"x-oracle": "200"' in body
    assert "/ask" in proxy.oracle.requests


def test_an_inserted_route_answers_by_itself(proxy: Proxy):
    before = len(proxy.application.requests)
    assert proxy.ask("/teapot")[0] == 418
    assert len(proxy.application.requests) == before


def test_a_merged_route_has_a_timeout(proxy: Proxy):
    proxy.application.delay = 1.0
    try:
        assert proxy.ask("/slow")[0] == 504
    finally:
        proxy.application.delay = 0.0


def test_istios_sample_of_a_local_rate_limit_limits(proxy: Proxy):
    """The third request for the path in a minute is one too many; another path has its own budget."""
    statuses = [proxy.ask("/productpage")[0] for _ in range(3)]
    assert statuses == [200, 200, 429]
    status, headers, _ = proxy.ask("/productpage")
    assert status == 429 and headers["x-local-rate-limit"] == "true"
    assert proxy.ask("/other")[0] == 200


def test_a_merged_cluster_takes_its_limits(proxy: Proxy):
    """Envoy looks at the first threshold of a priority: an appended one would not count, in Istio neither."""
    status, headers, _ = proxy.ask("/", proxy.outbound, "backend.test")
    assert status == 503 and headers["x-envoy-overloaded"] == "true"


def test_an_added_virtual_host_answers_and_a_removed_one_does_not(proxy: Proxy):
    assert proxy.ask("/", proxy.outbound, "magic.test")[0] == 203
    assert proxy.ask("/", proxy.outbound, "gone.test")[0] == 404


@pytest.mark.parametrize(("port", "told"), [(8080, "first,everywhere"), (8081, "second"), (8082, "everywhere")])
def test_an_outbound_filter_acts_at_its_port_only(proxy: Proxy, port: int, told: str):
    """HTTP services share one listener: two filters of one name at two ports, and one that is removed at one of them."""
    _, _, body = proxy.ask("/", proxy.outbound, f"ported.test:{port}")
    assert json.loads(body)["headers"]["x-told"] == told
