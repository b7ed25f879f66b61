"""Where a DestinationRule contradicts itself. Rules are Istio's (pkg/config/validation); each fault has the path of its field."""

import re
from collections.abc import Iterator

from meshconsole.core.mesh import hosts
from meshconsole.core.resources import connection_pool, locality
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.locality import LocalityLbSetting, ZoneAwareLbSetting
from meshconsole.core.resources.names import export_faults, host_fault, label_faults, name_fault

from .schema import (
    ClientTls,
    ConsistentHash,
    DestinationRuleSpec,
    LoadBalancer,
    OutlierDetection,
    PortPolicy,
    Simple,
    TlsMode,
    TrafficPolicy,
    TunnelProtocol,
)

Fault = tuple[str, str]
"""(path, what was wrong and what would be right)"""

_SUBSET = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_HEADER = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
MAX_SNI = 255
_KEYS = {
    "http_header_name": "httpHeaderName",
    "http_cookie": "httpCookie",
    "use_source_ip": "useSourceIp",
    "http_query_parameter_name": "httpQueryParameterName",
}


def faults(spec: DestinationRuleSpec, namespace: str) -> Iterator[Fault]:
    if fault := host_fault(spec.host):
        yield "spec.host", fault
    yield from export_faults(spec.export_to, namespace)
    if spec.workload_selector:
        for key, fault in label_faults(spec.workload_selector.match_labels, selecting=True):
            yield f"spec.workloadSelector.matchLabels.{key}", fault
        if set(spec.export_to) - {".", namespace}:
            yield "spec.exportTo", "a rule with a workloadSelector is for clients of its own namespace; write '.' or leave it out"
    if spec.traffic_policy:
        yield from _policy(spec.traffic_policy, "spec.trafficPolicy")
    seen: set[str] = set()
    for n, subset in enumerate(spec.subsets):
        path = f"spec.subsets[{n}]"
        if not _SUBSET.fullmatch(subset.name):
            yield f"{path}.name", f"{subset.name!r} must be letters, digits, '-', '_' or '.', 63 at most"
        if subset.name in seen:
            yield f"{path}.name", f"the subset {subset.name!r} stands twice; keep one"
        seen.add(subset.name)
        for key, fault in label_faults(subset.labels, selecting=True):
            yield f"{path}.labels.{key}", fault
        if subset.traffic_policy:
            yield from _policy(subset.traffic_policy, f"{path}.trafficPolicy")


def warnings(spec: DestinationRuleSpec) -> Iterator[Fault]:
    if not spec.traffic_policy and not spec.subsets:
        yield "spec", "says nothing: add trafficPolicy or subsets"
    for n, subset in enumerate(spec.subsets):
        if not subset.labels:
            yield f"spec.subsets[{n}].labels", "a subset without labels is every instance"
    for path, policy in _policies(spec):
        if policy.load_balancer and policy.load_balancer.simple is Simple.PASSTHROUGH:
            yield f"{path}.loadBalancer.simple", "PASSTHROUGH resolves the host by DNS: a request to a proxy names no address to pass on to"
        for name, setting in _settings(policy):
            for field, written in (("failover", setting.failover), ("failoverPriority", setting.failover_priority)):
                if written and not policy.outlier_detection:
                    yield f"{path}.loadBalancer.{name}.{field}", "has no effect without outlierDetection"
        if policy.tls and policy.tls.credential_name and not spec.workload_selector:
            yield f"{path}.tls.credentialName", "acts at gateways; a sidecar reads a Secret only from a rule with a workloadSelector"
        if policy.tls and policy.tls.mode is TlsMode.SIMPLE and policy.tls.client_certificate:
            yield f"{path}.tls.clientCertificate", "has no effect with mode SIMPLE; for a client certificate use MUTUAL"


def _settings(policy: TrafficPolicy | PortPolicy) -> Iterator[tuple[str, LocalityLbSetting | ZoneAwareLbSetting]]:
    balancer = policy.load_balancer
    if balancer and balancer.locality_lb_setting:
        yield "localityLbSetting", balancer.locality_lb_setting
    if balancer and balancer.zone_aware_lb_setting:
        yield "zoneAwareLbSetting", balancer.zone_aware_lb_setting


def deprecations(spec: DestinationRuleSpec) -> Iterator[Fault]:
    for path, policy in _policies(spec):
        balancer = policy.load_balancer
        if policy.outlier_detection and policy.outlier_detection.consecutive_errors:
            yield f"{path}.outlierDetection.consecutiveErrors", "deprecated; use consecutiveGatewayErrors or consecutive5xxErrors"
        if balancer and balancer.simple is Simple.LEAST_CONN:
            yield f"{path}.loadBalancer.simple", "LEAST_CONN is deprecated; use LEAST_REQUEST"
        if balancer and balancer.warmup_duration_secs:
            yield f"{path}.loadBalancer.warmupDurationSecs", "deprecated; use warmup"
        if balancer and balancer.consistent_hash and balancer.consistent_hash.minimum_ring_size:
            yield f"{path}.loadBalancer.consistentHash.minimumRingSize", "deprecated; use ringHash"


def _policies(spec: DestinationRuleSpec) -> Iterator[tuple[str, TrafficPolicy | PortPolicy]]:
    """Every policy of the rule, with its path."""
    levels = [("spec.trafficPolicy", spec.traffic_policy)]
    levels += [(f"spec.subsets[{n}].trafficPolicy", subset.traffic_policy) for n, subset in enumerate(spec.subsets)]
    for path, policy in levels:
        if policy:
            yield path, policy
            yield from ((f"{path}.portLevelSettings[{n}]", each) for n, each in enumerate(policy.port_level_settings))


def _policy(policy: TrafficPolicy, path: str) -> Iterator[Fault]:
    if _is_empty(policy):
        yield path, "says nothing; add loadBalancer, connectionPool, outlierDetection, tls or portLevelSettings"
    yield from _parts(policy, path)
    if policy.tunnel and policy.tunnel.protocol is TunnelProtocol.POST:
        # Envoy 1.40: a segmentation fault of the whole proxy, over HTTP/1.1.
        yield (
            f"{path}.tunnel.protocol",
            "not supported yet: POST; Envoy crashes when the server is the first to end such a tunnel. Use CONNECT",
        )
    if policy.tunnel and (fault := _target_fault(policy.tunnel.target_host)):
        yield f"{path}.tunnel.targetHost", fault
    seen: set[int] = set()
    for n, port in enumerate(policy.port_level_settings):
        where = f"{path}.portLevelSettings[{n}]"
        if port.port.number in seen:
            yield f"{where}.port", f"port {port.port.number} stands twice; keep one"
        seen.add(port.port.number)
        yield from _parts(port, where)


def _target_fault(host: str) -> str:
    return "" if hosts.is_address(host) else host_fault(host, wildcard=False)


def _is_empty(model: Model) -> bool:
    return not any(getattr(model, name) for name in model.model_fields_set)


def _parts(policy: TrafficPolicy | PortPolicy, path: str) -> Iterator[Fault]:
    if policy.load_balancer:
        yield from _balancer(policy.load_balancer, f"{path}.loadBalancer")
    if policy.connection_pool:
        yield from connection_pool.faults(policy.connection_pool, f"{path}.connectionPool")
    if policy.outlier_detection:
        yield from _outliers(policy.outlier_detection, f"{path}.outlierDetection")
    if policy.tls:
        yield from _tls(policy.tls, f"{path}.tls")


def _balancer(given: LoadBalancer, path: str) -> Iterator[Fault]:
    if given.simple and given.consistent_hash:
        yield path, "simple and consistentHash exclude one another; keep one"
    if given.locality_lb_setting:
        yield from locality.faults(given.locality_lb_setting, f"{path}.localityLbSetting")
    if given.zone_aware_lb_setting:
        yield from locality.zone_faults(given.zone_aware_lb_setting, f"{path}.zoneAwareLbSetting")
        if given.locality_lb_setting:
            yield f"{path}.zoneAwareLbSetting", "localityLbSetting and zoneAwareLbSetting exclude one another; keep one"
    if given.consistent_hash:
        yield from _hash(given.consistent_hash, f"{path}.consistentHash")
    if given.warmup and given.warmup_duration_secs:
        yield f"{path}.warmupDurationSecs", "warmup and warmupDurationSecs exclude one another; keep warmup"
    if (given.warmup or given.warmup_duration_secs) and (given.consistent_hash or given.simple is Simple.RANDOM):
        yield f"{path}.{'warmup' if given.warmup else 'warmupDurationSecs'}", "acts only with ROUND_ROBIN and LEAST_REQUEST"


def _hash(given: ConsistentHash, path: str) -> Iterator[Fault]:
    keys = [outside for name, outside in _KEYS.items() if getattr(given, name)]
    if len(keys) != 1:
        yield path, f"needs one of {', '.join(_KEYS.values())}" + (f", not {' and '.join(keys)}" if keys else "")
    if given.http_header_name and not _HEADER.fullmatch(given.http_header_name[:4096]):
        yield f"{path}.httpHeaderName", f"{given.http_header_name[:80]!r} is no header name"
    if given.http_cookie and not given.http_cookie.name:
        yield f"{path}.httpCookie.name", "is required"
    if given.ring_hash and given.maglev:
        yield path, "ringHash and maglev exclude one another; keep one"
    if given.maglev and given.maglev.table_size and not _is_prime(given.maglev.table_size):
        yield f"{path}.maglev.tableSize", f"{given.maglev.table_size} is no prime number"


def _outliers(given: OutlierDetection, path: str) -> Iterator[Fault]:
    if given.consecutive_local_origin_failures and not given.split_external_local_origin_errors:
        yield f"{path}.consecutiveLocalOriginFailures", "acts only with splitExternalLocalOriginErrors: true"


def _tls(given: ClientTls, path: str) -> Iterator[Fault]:
    files = [name for name in ("clientCertificate", "privateKey", "caCertificates", "caCrl") if getattr(given, _FILES[name])]
    if given.credential_name:
        yield from _credential(given, files, path)
    elif given.mode is TlsMode.MUTUAL:
        for name in ("clientCertificate", "privateKey"):
            if name not in files:
                yield f"{path}.{name}", "is required for mode MUTUAL"
    elif given.mode is TlsMode.ISTIO_MUTUAL and files:
        yield f"{path}.{files[0]}", "mode ISTIO_MUTUAL uses the mesh's own certificates; remove the files, or use MUTUAL"
    if given.ca_certificates == "system":
        # Envoy (but not gRPC) lacks `system_root_certs`, and where the file lies differs from host to host.
        yield f"{path}.caCertificates", "not supported yet: system; name the file, on Debian /etc/ssl/certs/ca-certificates.crt"
    if given.ca_certificates and given.insecure_skip_verify:
        yield f"{path}.insecureSkipVerify", "caCertificates and insecureSkipVerify exclude one another; keep one"
    if len(given.sni.encode()) > MAX_SNI:
        yield f"{path}.sni", f"is longer than {MAX_SNI} bytes"
    for n, name in enumerate(given.subject_alt_names):
        if not name:
            yield f"{path}.subjectAltNames[{n}]", "must not be empty"


def _credential(given: ClientTls, files: list[str], path: str) -> Iterator[Fault]:
    if fault := name_fault(given.credential_name):
        yield f"{path}.credentialName", f"{given.credential_name!r}: {fault}"
    if given.mode is TlsMode.ISTIO_MUTUAL:
        yield f"{path}.credentialName", "mode ISTIO_MUTUAL uses the mesh's own certificates; remove it, or use MUTUAL"
    elif files:
        yield f"{path}.{files[0]}", "cannot specify files where credentialName is set: it brings them"


_FILES = {"clientCertificate": "client_certificate", "privateKey": "private_key", "caCertificates": "ca_certificates", "caCrl": "ca_crl"}


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))
