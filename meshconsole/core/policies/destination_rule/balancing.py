"""Load balancing: which instance gets the next request, and what a consistent hash looks at."""

from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.resources.common import proto_duration

from .schema import ConsistentHash, Cookie, LoadBalancer, Simple

MINIMUM_RING_SIZE = 1024
_ALGORITHMS = {Simple.ROUND_ROBIN: "ROUND_ROBIN", Simple.RANDOM: "RANDOM"}
_RUNTIME_KEY = "meshconsole.warmup.aggression"
"""Envoy takes the aggression only as a runtime value; nobody sets the key."""


def write(given: LoadBalancer, draft: ClusterDraft) -> None:
    if given.consistent_hash:
        _hash(given.consistent_hash, draft)
        return
    if given.simple is Simple.PASSTHROUGH:
        draft.passthrough = True
        return
    algorithm = _ALGORITHMS.get(given.simple or Simple.UNSPECIFIED, "LEAST_REQUEST")
    draft.body["lb_policy"] = algorithm
    start = _slow_start(given)
    if start and algorithm != "RANDOM":
        draft.body[f"{algorithm.lower()}_lb_config"] = {"slow_start_config": start}


def _slow_start(given: LoadBalancer) -> Json:
    if given.warmup:
        return {
            "slow_start_window": proto_duration(given.warmup.duration),
            "min_weight_percent": {"value": given.warmup.minimum_percent},
            "aggression": {"default_value": given.warmup.aggression, "runtime_key": _RUNTIME_KEY},
        }
    return {"slow_start_window": proto_duration(given.warmup_duration_secs)} if given.warmup_duration_secs else {}


def _hash(given: ConsistentHash, draft: ClusterDraft) -> None:
    if given.maglev:
        draft.body["lb_policy"] = "MAGLEV"
        if given.maglev.table_size:
            draft.body["maglev_lb_config"] = {"table_size": given.maglev.table_size}
    else:
        size = given.ring_hash.minimum_ring_size if given.ring_hash else given.minimum_ring_size
        draft.body["lb_policy"] = "RING_HASH"
        draft.body["ring_hash_lb_config"] = {"minimum_ring_size": size or MINIMUM_RING_SIZE}
    if given.http_header_name:
        draft.hash_policy.append({"header": {"header_name": given.http_header_name}})
    elif given.http_cookie:
        draft.hash_policy.append({"cookie": _cookie(given.http_cookie)})
    elif given.use_source_ip:
        draft.hash_policy.append({"connection_properties": {"source_ip": True}})
        draft.tcp_proxy["hash_policy"] = [{"source_ip": {}}]
    elif given.http_query_parameter_name:
        draft.hash_policy.append({"query_parameter": {"name": given.http_query_parameter_name}})


def _cookie(given: Cookie) -> Json:
    cookie: Json = {"name": given.name}
    if given.ttl is not None:
        cookie["ttl"] = proto_duration(given.ttl)
    if given.path:
        cookie["path"] = given.path
    if given.attributes:
        cookie["attributes"] = [{"name": attribute.name, "value": attribute.value} for attribute in given.attributes]
    return cookie
