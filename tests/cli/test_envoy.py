"""Envoy's configuration as tables."""

import pytest

from meshconsole.cli import envoy

CLUSTER = "outbound|9080|v1|reviews.default.svc.cluster.local"


def camel(value):
    if isinstance(value, dict):
        return {envoy.camel(k): camel(v) for k, v in value.items()}
    return [camel(v) for v in value] if isinstance(value, list) else value


DUMP = {
    "clusters": [{"name": CLUSTER, "type": "EDS", "metadata": {"filter_metadata": {"meshconsole": {"origin": "DestinationRule default/reviews"}}}}, {"name": "xds"}],
    "listeners": [
        {
            "name": "inbound|9080",
            "address": {"socket_address": {"address": "127.0.0.2", "port_value": 9080}},
            "filter_chains": [
                {"filter_chain_match": {"transport_protocol": "tls"}, "filters": [{"typed_config": {"route_config": {"name": "in"}}}]},
                {"filters": [{"typed_config": {"rds": {"route_config_name": "http.80"}}}]},
                {"filters": [{"typed_config": {"cluster": "inbound|9080||"}}]},
            ],
        },
        {
            "name": "127.0.0.2_443",
            "address": {"socket_address": {"address": "127.0.0.2", "port_value": 443}},
            "filter_chains": [
                {
                    "filter_chain_match": {
                        "server_names": ["a.test", "*.b.test"],
                        "prefix_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}],
                    },
                    "filters": [{"typed_config": {"weighted_clusters": {"clusters": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]}}}],
                },
            ],
        },
    ],
    "routes": [{"name": "http.80", "virtual_hosts": [{"name": "x", "domains": ["a", "b", "c"], "routes": [
        {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": [{"name": CLUSTER, "weight": 90}, {"name": "v2", "weight": 10}]}}},
        {"match": {"path": "/exact", "headers": [{"name": "end-user"}]}, "direct_response": {"status": 404}},
        {"match": {"safe_regex": {"regex": "^/r"}}, "redirect": {"host_redirect": "example.com"}},
    ]}]}],
    "virtualHosts": [{"name": "outbound/reviews:9080", "domains": ["reviews"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": CLUSTER}, "metadata": {"filter_metadata": {"meshconsole": {"origin": "VirtualService default/reviews"}}}}]}],
    "endpoints": [{"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.3", "port_value": 9080}}}, "health_status": "UNHEALTHY"}]}]}],
    "secrets": [{"name": "default", "tls_certificate": {}}, {"name": "ROOTCA", "validation_context": {}}],
}  # fmt: skip


@pytest.mark.parametrize("dump", [DUMP, {k: camel(v) for k, v in DUMP.items()}], ids=["snake_case", "camelCase"])
def test_each_type_has_its_table(dump):
    assert envoy.clusters(dump) == [
        ["reviews.default.svc.cluster.local", "9080", "v1", "outbound", "EDS", "reviews.default", ""],
        ["xds", "", "", "", "STATIC", "", ""],
    ]
    assert sorted(row[3:5] for row in envoy.listeners(dump)) == [
        ["ALL", "Cluster: inbound|9080||"], ["ALL", "Route: http.80"],
        ["SNI: a.test,*.b.test; Addr: 127.0.0.0/8", "Clusters: a 9, b 1"], ["Trans: tls", "Inline route: in"],
    ]  # fmt: skip
    assert [[row[3], row[5]] for row in envoy.routes(dump)] == [
        ["/*", f"{CLUSTER} 90%, v2 10%"], ["/exact with end-user", "answers 404"], ["^/r", "redirect to example.com"], ["/*", CLUSTER],
    ]  # fmt: skip
    assert envoy.routes(dump)[0][2] == "a, b + 1 more"
    assert envoy.endpoints(dump) == [["127.0.0.3:9080", "UNHEALTHY", "FAILED", 1, CLUSTER]]
    assert [row[:3] for row in envoy.secrets(dump)] == [["default", "Cert Chain", "ACTIVE"], ["ROOTCA", "CA", "ACTIVE"]]
    assert [row[4] for row in envoy.routes(dump)][-1] == "reviews.default"


def test_who_has_patched_is_a_column_only_where_somebody_has():
    columns, _ = envoy.TABLES["clusters"]
    patched = {
        "name": CLUSTER,
        "metadata": {"filter_metadata": {"meshconsole": {"origin": "DestinationRule a/b, EnvoyFilter default/limits"}}},
    }
    assert envoy.told(columns, envoy.clusters({"clusters": [{"name": "xds"}]}))[0][-1] == "DESTINATION RULE"
    named, rows = envoy.told(columns, envoy.clusters({"clusters": [patched]}))
    assert named[-1] == "ENVOY FILTER" and rows[0][-2:] == ["b.a", "limits.default"]


def test_the_agents_own_certificate_is_a_secret_too():
    said = {"certificate": [{"serial": "abc", "state": "valid", "not_after": "2030", "not_before": "2020"}]}
    assert envoy.secrets(said) == [["default", "Cert Chain", "ACTIVE", "true", "abc", "2030", "2020"]]


def test_a_difference_is_acknowledged_beside_desired():
    text = envoy.difference({"acknowledged": {"name": "a", "timeout": "1s"}, "desired": {"name": "a", "timeout": "2s"}})
    assert "-timeout: 1s" in text and "+timeout: 2s" in text
