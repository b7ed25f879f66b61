"""An EnvoyFilter that leaves a listener as Envoy would refuse it changes nothing, and is named."""

from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler
from tests.golden import bootstrap

from .test_envoy_filter import compiled, envoy_filter

HEALTH = """
  - applyTo: FILTER_CHAIN
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: ADD
      value:
        name: health
        filter_chain_match: {source_prefix_ranges: [{address_prefix: 127.0.0.9, prefix_len: 32}]}
        filters:
        - name: tcp
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
            stat_prefix: health
            cluster: "inbound|9080||"
"""
WITHOUT_ROUTER = """
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}
    patch: {operation: REMOVE}
"""
INTO_EVERYTHING = """
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: MERGE
      value:
        name: envoy.filters.http.ext_authz
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
          grpc_service: {envoy_grpc: {cluster_name: "outbound|9080||ratings.default.svc.cluster.local"}}
"""


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        ([envoy_filter("one", HEALTH), envoy_filter("two", HEALTH)], "each must match something else"),
        ([envoy_filter("bare", WITHOUT_ROUTER)], "the last HTTP filter must be the router"),
        ([envoy_filter("merged", INTO_EVERYTHING)], "the last HTTP filter must be the router"),
    ],
)
def test_what_envoy_would_refuse_is_not_sent(documents: list[str], why: str):
    compiler = Compiler()
    before = compiled(compiler=compiler)
    after = compiled(*documents, compiler=compiler)
    told = [each for each in after.failures if why in each.reason]
    assert told and str(told[0].policies[0]).startswith("EnvoyFilter default/")
    listener = next(key for key in before.blobs if key[1] == "inbound|9080")
    assert after.blobs[listener] is before.blobs[listener]


@pytest.mark.envoy
def test_one_such_chain_is_taken(tmp_path: Path):
    resources = compiled(envoy_filter("one", HEALTH))
    assert not resources.failures
    config = bootstrap.static([("details", resources)], bootstrap.Authority().issue("default", "details"))
    assert bootstrap.validate(config, tmp_path) == ""
