"""Envoy's configuration as istioctl-like tables. Pure: JSON of v3 messages in, rows out; names in snake_case or camelCase."""

from collections.abc import Callable
from typing import Any

Row = list[Any]

_FILTER = "EnvoyFilter"
_PATCHED = "ENVOY FILTER"


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pick(message: Any, *path: str) -> Any:
    """The value at a path of proto field names, or None."""
    for name in path:
        if not isinstance(message, dict):
            return None
        message = message.get(name, message.get(camel(name)))
    return message


def address(found: Any) -> str:
    socket = pick(found, "socket_address")
    if socket:
        return f"{pick(socket, 'address')}:{pick(socket, 'port_value')}"
    return pick(found, "pipe", "path") or pick(found, "envoy_internal_address", "server_listener_name") or ""


def clusters(dump: dict[str, Any]) -> list[Row]:
    rows = []
    for c in dump.get("clusters") or []:
        direction, port, subset, host = parts(c["name"])
        kind = pick(c, "type") or pick(c, "cluster_type", "name") or "STATIC"
        rows.append([host, port, subset, direction, kind, origin(c, "DestinationRule"), origin(c, _FILTER)])
    return sorted(rows, key=str)


def origin(body: Any, kind: str) -> str:
    """`reviews.default`, as istioctl names the policy of that kind that a resource comes from."""
    said = pick(body, "metadata", "filter_metadata", "meshconsole") or {}
    named = [text.split(" ", 1)[1] for text in (said.get("origin") or "").split(", ") if text.startswith(f"{kind} ")]
    return ", ".join(".".join(reversed(name.split("/", 1))) for name in named)


def difference(item: dict[str, Any]) -> str:
    """A unified diff of the two bodies, as YAML."""
    import difflib

    import yaml

    def lines(body: Any) -> list[str]:
        return yaml.safe_dump(body, sort_keys=True, allow_unicode=True).splitlines(keepends=True) if body else []

    return "".join(difflib.unified_diff(lines(item["acknowledged"]), lines(item["desired"]), "acknowledged", "desired"))


def parts(cluster: str) -> tuple[str, str, str, str]:
    """`outbound|9080|v1|reviews.default.svc.cluster.local` -> direction, port, subset, host."""
    found = cluster.split("|")
    if len(found) == 4:
        return found[0], found[1], found[2], found[3] or cluster
    return "", "", "", cluster


def listeners(dump: dict[str, Any]) -> list[Row]:
    rows = []
    for listener in dump.get("listeners") or []:
        for chain in pick(listener, "filter_chains") or [{}]:
            at, _, port = address(pick(listener, "address")).rpartition(":")
            where = [at or port, port if at else "", listener["name"]]
            rows.append([*where, chain_match(chain), destination(chain), origin(listener, _FILTER)])
    return sorted(rows, key=str)


def chain_match(chain: dict[str, Any]) -> str:
    """As istioctl writes it: `Trans: tls; SNI: a.example.com; Addr: 10.0.0.0/8`."""
    match = pick(chain, "filter_chain_match") or {}
    ranges = [f"{pick(r, 'address_prefix')}/{pick(r, 'prefix_len') or 0}" for r in pick(match, "prefix_ranges") or []]
    said = {
        "Trans": pick(match, "transport_protocol"),
        "App": ",".join(pick(match, "application_protocols") or []),
        "SNI": ",".join(pick(match, "server_names") or []),
        "Addr": ",".join(ranges),
    }
    return "; ".join(f"{name}: {value}" for name, value in said.items() if value) or "ALL"


def destination(chain: dict[str, Any]) -> str:
    for one in pick(chain, "filters") or []:
        config = pick(one, "typed_config") or {}
        if name := pick(config, "rds", "route_config_name"):
            return f"Route: {name}"
        if inline := pick(config, "route_config"):
            return f"Inline route: {pick(inline, 'name') or ''}"
        if cluster := pick(config, "cluster"):
            return f"Cluster: {cluster}"
        if weighted := pick(config, "weighted_clusters", "clusters"):
            return "Clusters: " + ", ".join(f"{pick(c, 'name')} {pick(c, 'weight') or 0}" for c in weighted)
    return ""


def routes(dump: dict[str, Any]) -> list[Row]:
    rows = []
    for table in dump.get("routes") or []:
        for host in pick(table, "virtual_hosts") or []:
            rows += _virtual_host(table["name"], host)
    for host in dump.get("virtualHosts") or []:
        rows += _virtual_host(host["name"].partition("/")[0], host)
    return rows


def _virtual_host(table: str, host: dict[str, Any]) -> list[Row]:
    domains = pick(host, "domains") or []
    shown = ", ".join(domains[:2]) + (f" + {len(domains) - 2} more" if len(domains) > 2 else "")
    name = host["name"].rpartition("/")[2]
    return [
        [
            table,
            name,
            shown,
            match(pick(r, "match") or {}),
            origin(r, "VirtualService"),
            action(r),
            both(origin(host, _FILTER), origin(r, _FILTER)),
        ]
        for r in pick(host, "routes") or []
    ]


def both(*named: str) -> str:
    return ", ".join(dict.fromkeys(each for names in named for each in names.split(", ") if each))


def told(columns: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """istioctl's columns; the last one, ours, only where it says something."""
    if columns[-1] != _PATCHED or any(row[-1] for row in rows):
        return columns, rows
    return columns[:-1], [row[:-1] for row in rows]


def match(found: dict[str, Any]) -> str:
    for name, sign in (("prefix", "*"), ("path", ""), ("path_separated_prefix", "/*")):
        if (value := pick(found, name)) is not None:
            said = f"{value}{sign}"
            break
    else:
        said = str(pick(found, "safe_regex", "regex") or "")
    headers = [pick(h, "name") for h in pick(found, "headers") or []]
    return said + (f" with {', '.join(map(str, headers))}" if headers else "")


def action(route: dict[str, Any]) -> str:
    if to := pick(route, "route"):
        weighted = pick(to, "weighted_clusters", "clusters") or []
        if weighted:
            return ", ".join(f"{pick(c, 'name')} {pick(c, 'weight') or 0}%" for c in weighted)
        return str(pick(to, "cluster") or pick(to, "cluster_header") or "")
    if redirect := pick(route, "redirect"):
        return f"redirect to {pick(redirect, 'host_redirect') or ''}{pick(redirect, 'path_redirect') or ''}"
    if direct := pick(route, "direct_response"):
        return f"answers {pick(direct, 'status')}"
    return ""


def endpoints(dump: dict[str, Any]) -> list[Row]:
    rows = []
    for assignment in dump.get("endpoints") or []:
        for group in pick(assignment, "endpoints") or []:
            for e in pick(group, "lb_endpoints") or []:
                health = pick(e, "health_status") or "HEALTHY"
                rows.append(
                    [
                        address(pick(e, "endpoint", "address")),
                        health,
                        "OK" if health == "HEALTHY" else "FAILED",
                        pick(e, "load_balancing_weight") or 1,
                        pick(assignment, "cluster_name"),
                    ]
                )
    return sorted(rows, key=str)


def secrets(dump: dict[str, Any]) -> list[Row]:
    """Those that the console delivers; `certificate` of the dump is what the agent itself gives its Envoy."""
    kinds = (("tls_certificate", "Cert Chain"), ("validation_context", "CA"))
    rows: list[Row] = []
    for c in dump.get("certificate") or []:
        valid = "true" if c.get("state") in ("valid", "renewing") else "false"
        rows.append(
            [
                "default",
                "Cert Chain",
                "ACTIVE",
                valid,
                c.get("serial", ""),
                c.get("notAfter", c.get("not_after", "")),
                c.get("notBefore", c.get("not_before", "")),
            ]
        )
    for s in dump.get("secrets") or []:
        kind = next((text for name, text in kinds if pick(s, name) is not None), "")
        rows.append([s["name"], kind, "ACTIVE", *_validity(s)])
    return rows


def _validity(secret: dict[str, Any]) -> list[Any]:
    """VALID CERT, SERIAL NUMBER, NOT AFTER, NOT BEFORE of the first certificate, where it is told."""
    text = pick(secret, "tls_certificate", "certificate_chain", "inline_string") or pick(
        secret, "validation_context", "trusted_ca", "inline_string"
    )
    if not text or "BEGIN CERTIFICATE" not in text:
        return ["", "", "", ""]
    from datetime import UTC, datetime

    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(text.encode())[0]
    except ValueError:
        return ["false", "", "", ""]
    now = datetime.now(UTC)
    valid = found.not_valid_before_utc <= now <= found.not_valid_after_utc
    return [
        str(valid).lower(),
        format(found.serial_number, "x"),
        found.not_valid_after_utc.isoformat(),
        found.not_valid_before_utc.isoformat(),
    ]


TABLES: dict[str, tuple[list[str], Callable[[dict[str, Any]], list[Row]]]] = {
    "clusters": (["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE", _PATCHED], clusters),
    "listeners": (["ADDRESSES", "PORT", "NAME", "MATCH", "DESTINATION", _PATCHED], listeners),
    "routes": (["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE", "DESTINATION", _PATCHED], routes),
    "endpoints": (["ENDPOINT", "STATUS", "OUTLIER CHECK", "WEIGHT", "CLUSTER"], endpoints),
    "secrets": (["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"], secrets),
}
