"""What keeps hostile requests from doing more than being refused: plain paths, bounded headers, streams and windows."""

from .draft import Json

_PATHS: dict[str, Json] = {
    "NONE": {"normalize_path": False},
    "BASE": {"normalize_path": True},
    "MERGE_SLASHES": {"normalize_path": True, "merge_slashes": True},
    "DECODE_AND_MERGE_SLASHES": {"normalize_path": True, "merge_slashes": True, "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"},
}


def paths(normalization: str) -> Json:
    """Istio's MeshConfig.pathNormalization, in the connection manager's words (pilot: buildHTTPConnectionManager)."""
    return _PATHS[normalization]


def edge(trusted_proxies: int) -> Json:
    """
    A gateway's connection manager takes from strangers: Envoy's advice for the edge, where it changes nothing that Istio's users rely on. A client that sends its
    headers drop by drop is let go after 10 s; bodies and answers may take as long as they like. Of X-Forwarded-For as many addresses are believed as there are trusted
    proxies before the gateway (Istio: gatewayTopology.numTrustedProxies).
    """
    hops: Json = {"xff_num_trusted_hops": trusted_proxies} if trusted_proxies else {}
    return {
        **hops,
        "request_headers_timeout": "10s",
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 1048576,
        },
        "common_http_protocol_options": {"idle_timeout": "3600s", "max_headers_count": 100},
        "max_request_headers_kb": 60,
    }
