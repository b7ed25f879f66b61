"""MeshConfig: what holds for the whole mesh, of what Istio keeps in a file of its own. One: `default`, in the root namespace."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from meshconsole.core.envoy.reporting import FileLog
from meshconsole.core.mesh import model
from meshconsole.core.resources import connection_pool, locality, networks, retries
from meshconsole.core.resources.common import Boolean, Duration, PositiveDuration, Whole, proto_duration
from meshconsole.core.resources.connection_pool import TcpKeepalive
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.locality import LocalityLbSetting
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import export_faults
from meshconsole.core.resources.networks import Network
from meshconsole.core.resources.retries import Retries

from . import _log_formats as log_formats
from ._connections import keepalive
from ._retries import retry_policy
from .base import Policy

NAME = "default"
_CODE = re.compile(r"[1-5][0-9][0-9]")


class RequestBody(Model):
    max_request_bytes: Whole
    """How much of the body the authorizer gets; larger requests are refused with 413 unless allowPartialMessage."""
    allow_partial_message: Boolean = False
    """Send the beginning of larger bodies. Default: false."""
    pack_as_bytes: Boolean = False
    """Over gRPC: as bytes, where the body is no UTF-8 text. Default: false."""


class ExtAuthzGrpc(Model):
    service: str
    """`[<namespace>/]<host>` of a service of the mesh."""
    port: Whole
    """Its port; one of protocol grpc."""
    timeout: PositiveDuration | None = None
    """For an answer. Default: 600s, as in Istio."""
    fail_open: Boolean = False
    """Let requests through while the authorizer is away. Default: false."""
    status_on_error: str = ""
    """The HTTP status while it is away. Default: 403."""
    clear_route_cache: Boolean = False
    """Choose the route again, by the headers that the authorizer changed. Default: false."""
    include_request_body_in_check: RequestBody | None = None
    """Send the request's body too."""


class ExtAuthzHttp(ExtAuthzGrpc):
    unsupported: ClassVar[dict[str, str]] = {"includeHeadersInCheck": "Istio retired it; write includeRequestHeadersInCheck"}

    path_prefix: str = ""
    """Put before the request's path when the authorizer is asked."""
    include_request_headers_in_check: list[str] = Field(default_factory=list)
    """Headers that it gets besides Host, Method, Path and Content-Length: exactly, `x-*`, `*-x`."""
    include_additional_headers_in_check: dict[str, str] = Field(default_factory=dict)
    """Headers that it gets in addition, with their values."""
    headers_to_upstream_on_allow: list[str] = Field(default_factory=list)
    """Headers of its answer that the application gets."""
    headers_to_downstream_on_allow: list[str] = Field(default_factory=list)
    """Headers of its answer that the client gets when it allows."""
    headers_to_downstream_on_deny: list[str] = Field(default_factory=list)
    """Headers of its answer that the client gets when it denies; none named: all."""


class LogFormat(Model):
    text: str = ""
    """A line by Envoy's command operators; `\n` is added where it is missing."""
    labels: dict[str, str] = Field(default_factory=dict)
    """A JSON line: field -> command operators."""


class FileAccessLog(Model):
    path: Annotated[str, Field(min_length=1)]
    """`/dev/stdout`, `/dev/stderr`, or a file on the proxy's host that its Envoy may write."""
    log_format: LogFormat | None = None
    """Default: Istio's text."""
    omit_empty_values: Boolean = False
    """Leave out JSON fields that say nothing. Default: false."""


class ExtensionProvider(Model):
    unsupported: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "zipkin", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking", "opentelemetry", "prometheus", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls", "sds",
        ),
        "external authorizers and envoyFileAccessLog are; the console itself takes spans and records, and sends them on (OTLP_EXPORT_URL, ZIPKIN_URL)",
    )  # fmt: skip

    name: str
    """What AuthorizationPolicies name."""
    envoy_ext_authz_http: ExtAuthzHttp | None = None
    """An authorizer that is asked by HTTP: 200 lets the request through."""
    envoy_ext_authz_grpc: ExtAuthzGrpc | None = None
    """An authorizer that speaks Envoy's `envoy.service.auth.v3.Authorization`."""
    envoy_file_access_log: FileAccessLog | None = None
    """Access logs as lines at each proxy's host, for Telemetries."""


class OutboundTrafficPolicy(Model):
    unsupported: ClassVar[dict[str, str]] = {"tls": "hosts that are to be called by TLS need a ServiceEntry and a DestinationRule"}

    mode: Literal["ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS", "REGISTRY_ONLY"] = "REGISTRY_ONLY"
    """What becomes of hosts that nobody knows. `ALLOW_ANY`: they are passed on, each by a cluster of its own that DNS fills.
    `ALLOW_ANY_DYNAMIC_DNS`: all by one cluster, each name looked up when it is called. An empty outboundTrafficPolicy means
    REGISTRY_ONLY, as in Istio."""


class PathNormalization(Model):
    normalization: Literal["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] = "DEFAULT"
    """`BASE` (and `DEFAULT`): `/a/../b` and `\\` are resolved. `MERGE_SLASHES`: `//` is `/` too. `DECODE_AND_MERGE_SLASHES`: `%2F` and `%5C` are decoded first:
    the safest before paths in AuthorizationPolicies. `NONE`: paths stay as they come."""


class GatewayTopology(Model):
    unsupported: ClassVar[dict[str, str]] = {"proxyProtocol": "gateways take no PROXY headers yet"}

    num_trusted_proxies: Whole = 0
    """How many proxies of your own stand before the gateways: so many addresses at the end of X-Forwarded-For are believed. Default 0: the peer is the client."""
    forward_client_cert_details: Literal[
        "UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"
    ] = "UNDEFINED"
    """What becomes of X-Forwarded-Client-Cert at a gateway. Default SANITIZE_SET: what a client claims is dropped."""


class ProxyDefaults(Model):
    unsupported: ClassVar[dict[str, str]] = {"concurrency": "write a ProxyConfig"}

    gateway_topology: GatewayTopology = Field(default_factory=GatewayTopology)
    """What stands before the gateways."""


class MeshConfigSpec(Model):
    access_log_file: str = ""
    """Every proxy writes a line per request there, `/dev/stdout` for instance. Default: none. The console's Logs are told besides."""
    access_log_format: str = ""
    """By Envoy's command operators: a line, or with accessLogEncoding JSON an object of them. Default: Istio's."""
    access_log_encoding: Literal["TEXT", "JSON"] = "TEXT"
    """`TEXT` (default) or `JSON`."""
    path_normalization: PathNormalization = Field(default_factory=PathNormalization)
    """How paths are made plain before any policy looks at them."""
    default_config: ProxyDefaults = Field(default_factory=ProxyDefaults)
    """What holds for every proxy."""
    extension_providers: list[ExtensionProvider] = Field(default_factory=list)
    """External authorizers, for AuthorizationPolicies with action CUSTOM."""
    trust_domain_aliases: list[str] = Field(default_factory=list)
    """Other names of the trust domain: a principal of one is, in AuthorizationPolicies, a principal of all."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """For sidecars that no Sidecar says otherwise. Default: the console's setting OUTBOUND_TRAFFIC_POLICY."""
    connect_timeout: PositiveDuration | None = None
    """For TCP connections to services whose DestinationRule says none, and to applications. Default 10s."""
    protocol_detection_timeout: Duration | None = None
    """How long a proxy waits for the first bytes of a connection whose protocol is not declared; then it is taken as TCP. Default `0s`: for
    ever, so that server-first protocols must be declared (`tcp`, `mysql`, `mongo`)."""
    dns_refresh_rate: PositiveDuration | None = None
    """How often names of ServiceEntries are looked up again whose answers bear no TTL. Default 5s."""
    tcp_keepalive: TcpKeepalive | None = None
    """Probes on connections to services whose DestinationRule says none. Default: none."""
    default_http_retry_policy: Retries | None = None
    """Of routes that say no retries; `attempts: 0` for none. Default: two more tries, as in Istio."""
    locality_lb_setting: LocalityLbSetting | None = None
    """For hosts whose DestinationRule says none: shares by place, or who takes over where instances are ejected."""
    default_service_export_to: list[str] = Field(default_factory=list)
    """Namespaces that see services (of workloads and ServiceEntries) that say no exportTo. Default: `*`, all."""
    default_virtual_service_export_to: list[str] = Field(default_factory=list)
    """The same for VirtualServices."""
    default_destination_rule_export_to: list[str] = Field(default_factory=list)
    """The same for DestinationRules."""
    mesh_networks: dict[str, Network] = Field(default_factory=dict)
    """Network -> its gateways: endpoints of a network other than the client's are reached through them, by mutual TLS. Who names no network
    is in all of them. Holds for endpoints with addresses (resolution STATIC, workloads), not for names."""
    enable_auto_mtls: Boolean = True
    """Mutual TLS between proxies of the mesh where nothing says otherwise. Default: true."""


class MeshConfig(Policy):
    group: ClassVar[str] = "meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "meshconfigs"

    spec: MeshConfigSpec = Field(default_factory=MeshConfigSpec)
    """What holds for the whole mesh."""

    def check(self) -> Iterator[Message]:
        if self.metadata.name != NAME:
            yield self.error("metadata.name", f"there is one MeshConfig: {NAME}, in the root namespace")
        for name in _EXPORTS:
            outside = to_camel(name)
            for path, text in export_faults(getattr(self.spec, name), self.metadata.namespace, nobody=name == _EXPORTS[0]):
                yield self.error(path.replace("exportTo", outside), text)
        if self.spec.default_http_retry_policy:
            said = retries.faults(self.spec.default_http_retry_policy, "spec.defaultHttpRetryPolicy")
            yield from (self.error(path, text) for path, text in said)
        if self.spec.tcp_keepalive:
            said = connection_pool.keepalive_faults(self.spec.tcp_keepalive, "spec.tcpKeepalive")
            yield from (self.error(path, text) for path, text in said)
        if self.spec.locality_lb_setting:
            faults = locality.faults(self.spec.locality_lb_setting, "spec.localityLbSetting")
            yield from (self.error(path, text) for path, text in faults)
        if self.spec.default_config.gateway_topology.num_trusted_proxies > 100:
            yield self.error("spec.defaultConfig.gatewayTopology.numTrustedProxies", "must be 100 at most")
        for wrong in log_formats.problems(self.spec.access_log_format, self.spec.access_log_encoding == "JSON"):
            yield self.error("spec.accessLogFormat", wrong)
        for path, text in networks.faults(self.spec.mesh_networks, "spec.meshNetworks"):
            yield self.error(path, text)
        for path, text in networks.registries(self.spec.mesh_networks, "spec.meshNetworks"):
            yield self.error(path, text, "IST0126")
        names: set[str] = set()
        for i, provider in enumerate(self.spec.extension_providers):
            path = f"spec.extensionProviders[{i}]"
            if not provider.name or provider.name in names:
                yield self.error(f"{path}.name", "must be there, and be no other provider's")
            names.add(provider.name)
            both = (provider.envoy_ext_authz_http, provider.envoy_ext_authz_grpc)
            file = provider.envoy_file_access_log
            if len([each for each in (*both, file) if each is not None]) != 1:
                yield self.error(path, "needs one of envoyExtAuthzHttp, envoyExtAuthzGrpc and envoyFileAccessLog")
            if file is not None and file.log_format:
                at, form = f"{path}.envoyFileAccessLog.logFormat", file.log_format
                if form.text and form.labels:
                    yield self.error(at, "text and labels exclude each other")
                for name, text in (("text", form.text), *((f"labels.{key}", value) for key, value in form.labels.items())):
                    if wrong := log_formats.fault(text):
                        yield self.error(f"{at}.{name}", wrong)
            for field, each in zip(("envoyExtAuthzHttp", "envoyExtAuthzGrpc"), both, strict=True):
                if each is not None:
                    yield from (self.error(f"{path}.{field}.{at}", text) for at, text in _problems(each))

    def onto(self, mesh: model.MeshConfig) -> model.MeshConfig:
        spec = self.spec
        mode = spec.outbound_traffic_policy.mode if spec.outbound_traffic_policy else ""
        return replace(
            mesh,
            allow_any=mode.startswith("ALLOW_ANY") if mode else mesh.allow_any,
            allow_any_dynamic=mode == "ALLOW_ANY_DYNAMIC_DNS",
            auto_mtls=spec.enable_auto_mtls,
            networks=tuple(
                (name, tuple((each.address, each.port) for each in network.gateways))
                for name, network in sorted(spec.mesh_networks.items())
                if network.gateways
            ),
            trust_domain_aliases=tuple(dict.fromkeys((*mesh.trust_domain_aliases, *spec.trust_domain_aliases))),
            connect_timeout=proto_duration(spec.connect_timeout) if spec.connect_timeout else mesh.connect_timeout,
            detection_timeout=(
                proto_duration(spec.protocol_detection_timeout) if spec.protocol_detection_timeout else mesh.detection_timeout
            ),
            dns_refresh_rate=proto_duration(spec.dns_refresh_rate) if spec.dns_refresh_rate else mesh.dns_refresh_rate,
            tcp_keepalive=json.dumps(keepalive(spec.tcp_keepalive)) if spec.tcp_keepalive else mesh.tcp_keepalive,
            retry_policy=json.dumps(retry_policy(spec.default_http_retry_policy)) if spec.default_http_retry_policy else mesh.retry_policy,
            locality_lb=_json(spec.locality_lb_setting) if spec.locality_lb_setting else mesh.locality_lb,
            service_export=tuple(spec.default_service_export_to) or mesh.service_export,
            virtual_service_export=tuple(spec.default_virtual_service_export_to) or mesh.virtual_service_export,
            destination_rule_export=tuple(spec.default_destination_rule_export_to) or mesh.destination_rule_export,
            path_normalization=_NORMAL.get(spec.path_normalization.normalization, spec.path_normalization.normalization),
            trusted_proxies=spec.default_config.gateway_topology.num_trusted_proxies,
            gateway_client_cert=_NORMAL.get(
                spec.default_config.gateway_topology.forward_client_cert_details,
                spec.default_config.gateway_topology.forward_client_cert_details,
            ),
            authorizers=tuple(_authorizer(each) for each in spec.extension_providers if each.envoy_file_access_log is None),
            file_logs=(_default_log(spec),) if spec.access_log_file else (),
            log_providers=tuple(
                (each.name, _file_log(each.envoy_file_access_log)) for each in spec.extension_providers if each.envoy_file_access_log
            ),
        )


def _default_log(spec: MeshConfigSpec) -> FileLog:
    if spec.access_log_encoding == "JSON":
        return log_formats.file_log(spec.access_log_file, fields=log_formats.labels(spec.access_log_format), as_json=True)
    return log_formats.file_log(spec.access_log_file, spec.access_log_format)


def _file_log(said: FileAccessLog) -> FileLog:
    form = said.log_format or LogFormat()
    return log_formats.file_log(said.path, form.text, form.labels, omit_empty=said.omit_empty_values)


_NORMAL = {"DEFAULT": "BASE", "UNDEFINED": "SANITIZE_SET", "ALWAYS_FORWARD_ONLY": "ALWAYS_FORWARD_ONLY"}
_EXPORTS = ("default_service_export_to", "default_virtual_service_export_to", "default_destination_rule_export_to")


def _json(setting: LocalityLbSetting) -> str:
    return setting.model_dump_json(by_alias=True, exclude_unset=True)


def _problems(each: ExtAuthzGrpc) -> Iterator[tuple[str, str]]:
    namespace, slash, host = each.service.rpartition("/")
    if not host or (slash and not namespace) or "/" in namespace:
        yield "service", f"{each.service!r} must be `<host>` or `<namespace>/<host>`"
    if not 0 < each.port < 65536:
        yield "port", "port must be between 1-65535"
    if each.status_on_error and not (_CODE.fullmatch(each.status_on_error) and int(each.status_on_error) < 600):
        yield "statusOnError", f"{each.status_on_error!r} is no HTTP status"
    if each.include_request_body_in_check is not None and each.include_request_body_in_check.max_request_bytes < 1:
        yield "includeRequestBodyInCheck.maxRequestBytes", "must be greater than 0"
    if isinstance(each, ExtAuthzHttp) and each.path_prefix and not each.path_prefix.startswith("/"):
        yield "pathPrefix", f"{each.path_prefix!r} must begin with `/`"


def _authorizer(provider: ExtensionProvider) -> model.Authorizer:
    each = provider.envoy_ext_authz_http or provider.envoy_ext_authz_grpc
    assert each is not None
    namespace, _, host = each.service.rpartition("/")
    body = each.include_request_body_in_check
    common = model.Authorizer(
        name=provider.name,
        grpc=provider.envoy_ext_authz_grpc is not None,
        namespace=namespace,
        host=host,
        port=each.port,
        timeout=proto_duration(each.timeout) if each.timeout is not None else "",
        fail_open=each.fail_open,
        status_on_error=int(each.status_on_error or 0),
        clear_route_cache=each.clear_route_cache,
        max_body_bytes=body.max_request_bytes if body else 0,
        partial_body=body is not None and body.allow_partial_message,
        body_as_bytes=body is not None and body.pack_as_bytes,
    )
    if not isinstance(each, ExtAuthzHttp):
        return common
    return replace(
        common,
        path_prefix=each.path_prefix,
        check_headers=tuple(each.include_request_headers_in_check),
        added_headers=tuple(sorted(each.include_additional_headers_in_check.items())),
        upstream_headers=tuple(each.headers_to_upstream_on_allow),
        allowed_headers=tuple(each.headers_to_downstream_on_allow),
        denied_headers=tuple(each.headers_to_downstream_on_deny),
    )
