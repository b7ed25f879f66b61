"""Small Envoy configuration for the agent's tests, built with Envoy's own message classes."""

import hashlib

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.access_loggers.stats.v3 import stats_pb2  # noqa: F401  ParseDict needs the types loaded
from envoy.extensions.filters.http.on_demand.v3 import on_demand_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from google.protobuf import json_format

from proxyagent.protocol import Resource

V3 = "type.googleapis.com/envoy."
ADS = {"ads": {}, "resource_api_version": "V3"}
HCM = V3 + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def resource(name, message, body):
    data = json_format.ParseDict(body, message).SerializeToString(deterministic=True)
    return Resource(name, hashlib.sha256(data).hexdigest()[:16], data)


def cluster(name, **changes):
    body = {"name": name, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}} | changes
    return resource(name, cluster_pb2.Cluster(), body)


def endpoints(name, *ports, address="127.0.0.1", peer=""):
    metadata = {"metadata": {"filter_metadata": {"meshconsole": {"peer": peer}}}} if peer else {}
    lb = [{"endpoint": {"address": {"socket_address": {"address": address, "port_value": p}}}} | metadata for p in ports]
    return resource(name, endpoint_pb2.ClusterLoadAssignment(), {"cluster_name": name, "endpoints": [{"lb_endpoints": lb}]})


def virtual_host(host, cluster, *domains, header=""):
    body = {
        "name": f"outbound/{host}",
        "domains": list(domains) or [host],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
    }
    if header:
        body["response_headers_to_add"] = [{"header": {"key": "x-version", "value": header}}]
    return resource(f"outbound/{host}", route_components_pb2.VirtualHost(), body)


INIT = resource("outbound/init.invalid", route_components_pb2.VirtualHost(), {"name": "outbound/init.invalid", "domains": ["init.invalid"]})
ROUTES = resource("outbound", route_pb2.RouteConfiguration(), {"name": "outbound", "vhds": {"config_source": ADS}})


def metrics(reporter):
    tags = {
        "reporter": reporter,
        "request_protocol": "http",
        "response_code": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%",
        "service": "reviews.default.svc.cluster.local;reviews;default",
    }
    if reporter == "source":
        tags |= {"peer": "%UPSTREAM_METADATA(meshconsole:peer)%", "peer_principal": "%UPSTREAM_PEER_URI_SAN%"}
    else:
        tags |= {"peer_subject": "%DOWNSTREAM_PEER_SUBJECT%", "peer_principal": "%DOWNSTREAM_PEER_URI_SAN%"}
    formats = [{"name": k, "value_format": v} for k, v in tags.items()]
    return {
        "name": "metrics",
        "typed_config": {
            "@type": V3 + "extensions.access_loggers.stats.v3.Config",
            "stat_prefix": "istio",
            "counters": [{"stat": {"name": "requests_total", "tags": formats}, "value_fixed": 1}],
            "histograms": [
                {"stat": {"name": "request_duration_milliseconds", "tags": formats}, "unit": "Milliseconds", "value_format": "%DURATION%"}
            ],
        },
    }


def hcm(reporter, **routes):
    on_demand = {
        "name": "envoy.filters.http.on_demand",
        "typed_config": {"@type": V3 + "extensions.filters.http.on_demand.v3.OnDemand", "odcds": {"source": ADS, "timeout": "2s"}},
    }
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": V3 + "extensions.filters.http.router.v3.Router"}}
    filters = [on_demand, router] if "rds" in routes else [router]
    return {"@type": HCM, "stat_prefix": "http", "access_log": [metrics(reporter)], "http_filters": filters} | routes


def outbound(port, **changes):
    body = {
        "name": "outbound",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "hcm", "typed_config": hcm("source", rds={"route_config_name": "outbound", "config_source": ADS})}]}
        ],
    } | changes
    return resource("outbound", listener_pb2.Listener(), body)


def inbound(port, cluster):
    """TLS with the mesh's certificate; the client has to show one too."""
    secrets = {
        "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": ADS}],
        "validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": ADS},
    }
    tls = {
        "@type": V3 + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": secrets,
    }
    routes = {
        "name": "in",
        "virtual_hosts": [{"name": "in", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}],
    }
    body = {
        "name": f"inbound|{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {
                "transport_socket": {"name": "tls", "typed_config": tls},
                "filters": [{"name": "hcm", "typed_config": hcm("destination", route_config=routes)}],
            }
        ],
    }
    return resource(f"inbound|{port}", listener_pb2.Listener(), body)
