"""Action CUSTOM: Istio's own cases, what is denied because nobody can be asked, and real authorizers behind a real Envoy."""

import http.client
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.type.v3 import http_status_pb2
from google.rpc import status_pb2

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, Port, Service, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from meshconsole.core.policies.authorization_policy import external
from meshconsole.core.resources.messages import Invalid
from tests.golden import bootstrap

GRPC = {
    "name": "default",
    "envoyExtAuthzGrpc": {
        "service": "foo/my-custom-ext-authz.foo.svc.cluster.local", "port": 9000, "timeout": "0.002s", "failOpen": True, "statusOnError": "403",
        "includeRequestBodyInCheck": {"maxRequestBytes": 4096, "allowPartialMessage": True},
    },
}  # fmt: skip
HTTP = {"name": "default", "envoyExtAuthzHttp": {"service": "foo/my-custom-ext-authz.foo.svc.cluster.local", "port": 9000}}
RULE: dict[str, Any] = {"to": [{"operation": {"paths": ["/private"]}}]}


def mesh(*providers: dict[str, Any]) -> MeshConfig:
    data = {"apiVersion": "meshconsole.io/v1", "kind": "MeshConfig", "metadata": {"name": "default", "namespace": "istio-system"}}
    ((found,), _) = parse(json.dumps({**data, "spec": {"extensionProviders": list(providers)}}))
    return found.onto(MeshConfig())  # type: ignore[attr-defined,no-any-return]


def custom(provider: str, name: str, rule: dict[str, Any] = RULE) -> Any:
    spec = {"action": "CUSTOM", "provider": {"name": provider}, "rules": [rule]}
    data = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "foo"},
        "spec": spec,
    }
    ((found,), _) = parse(json.dumps(data))
    return found


class View:
    def __init__(self, mesh: MeshConfig, known: bool = True):
        self.mesh, self._known = mesh, known

    def service(self, host: str, namespace: str) -> Service | None:
        return Service(host, namespace, host, (Port(9000, "grpc"),)) if self._known else None


def said(*policies: Any, view: View, tcp: bool = False) -> tuple[list[Any], list[str]]:
    placed, clusters = external.filters(policies, view, tcp=tcp)  # type: ignore[arg-type]
    return [each["typed_config"] for _, each in placed], clusters


def names(config: dict[str, Any], where: str) -> list[str]:
    return list(config[where]["policies"])


def test_the_shadow_finds_out_and_the_authorizer_is_asked_as_istio_does():
    (shadow, ask), clusters = said(custom("default", "httpbin-1"), custom("default", "httpbin-2"), view=View(mesh(GRPC)))
    assert shadow["shadow_rules"]["action"] == "DENY" and shadow["shadow_rules_stat_prefix"] == "istio_ext_authz_"
    assert names(shadow, "shadow_rules") == [f"istio-ext-authz-default-ns[foo]-policy[httpbin-{i}]-rule[0]" for i in (1, 2)]
    assert clusters == ["outbound|9000||my-custom-ext-authz.foo.svc.cluster.local"]
    assert ask == {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "failure_mode_allow": True,
        "filter_enabled_metadata": {
            "filter": "envoy.filters.http.rbac",
            "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
            "value": {"string_match": {"prefix": "istio-ext-authz-default"}},
        },
        "grpc_service": {
            "envoy_grpc": {"authority": "my-custom-ext-authz.foo.svc.cluster.local", "cluster_name": clusters[0]},
            "timeout": "0.002s",
        },
        "status_on_error": {"code": 403},
        "transport_api_version": "V3",
        "with_request_body": {"allow_partial_message": True, "max_request_bytes": 4096, "pack_as_bytes": False},
    }


def test_several_providers_for_one_workload_deny_what_either_speaks_of():
    configs, clusters = said(custom("default", "httpbin-1"), custom("another", "httpbin-2"), view=View(mesh(HTTP)))
    assert [names(config, "rules") for config in configs] == [
        ["istio-ext-authz-another-ns[foo]-policy[httpbin-2]-rule[0]-deny-due-to-bad-CUSTOM-action"],
        ["istio-ext-authz-default-ns[foo]-policy[httpbin-1]-rule[0]-deny-due-to-bad-CUSTOM-action"],
    ]
    assert clusters == []


@pytest.mark.parametrize("view", [View(mesh()), View(mesh(HTTP), known=False)], ids=["no provider", "no service"])
def test_who_cannot_be_asked_lets_nobody_in(view: View):
    ((config,), _) = said(custom("default", "a"), view=view)
    assert config["rules"]["action"] == "DENY"


def test_on_tcp_a_rule_of_http_is_nothing_and_an_http_authorizer_cannot_be_asked():
    assert said(custom("default", "a"), view=View(mesh(HTTP)), tcp=True) == ([], [])
    ((config,), _) = said(custom("default", "a", {}), view=View(mesh(HTTP)), tcp=True)
    assert config["rules"]["action"] == "DENY"
    (_, ask), _ = said(custom("default", "a", {}), view=View(mesh(GRPC)), tcp=True)
    assert ask["@type"].endswith("filters.network.ext_authz.v3.ExtAuthz")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"port": 999999}, "port"),
        ({"pathPrefix": "check"}, "pathPrefix"),
        ({"statusOnError": "999"}, "statusOnError"),
        ({"service": "a/b/c"}, "service"),
    ],
)
def test_a_provider_that_makes_no_sense_is_refused(change: dict[str, Any], path: str):
    with pytest.raises(Invalid, match=f"extensionProviders.0..envoyExtAuthzHttp.{path}"):
        mesh({"name": "default", "envoyExtAuthzHttp": {**HTTP["envoyExtAuthzHttp"], **change}})  # type: ignore[dict-item]


class Application(http.server.BaseHTTPRequestHandler):
    """The application, and the authorizer: that one answers 200 to who knows the word."""

    def do_GET(self) -> None:
        asked = self.path.startswith("/check")
        self.send_response(403 if asked and self.headers["x-word"] != "please" else 200)
        self.send_header("x-by", "http")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Authorizer(external_auth_pb2_grpc.AuthorizationServicer):  # type: ignore[misc]
    def Check(self, request: Any, context: Any) -> Any:
        good = request.attributes.request.http.headers.get("x-word") == "please"
        if good:
            return external_auth_pb2.CheckResponse(status=status_pb2.Status(code=0))
        denied = external_auth_pb2.DeniedHttpResponse(status=http_status_pb2.HttpStatus(code=401))
        return external_auth_pb2.CheckResponse(status=status_pb2.Status(code=7), denied_response=denied)


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: authz, namespace: foo}}
spec:
  hosts: [authz.example.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 9000, name: grpc, protocol: GRPC}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {http}, grpc: {grpc}}}}}]
"""


@pytest.fixture(scope="module", params=["http", "grpc"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorizer(), server)
    authorizer, port, admin = server.add_insecure_port("127.0.0.1:0"), free(), free()
    server.start()
    providers = [
        {"name": "http", "envoyExtAuthzHttp": {"service": "foo/authz.example.com", "port": 80, "pathPrefix": "/check", "includeRequestHeadersInCheck": ["X-Word"]}},
        {"name": "grpc", "envoyExtAuthzGrpc": {"service": "foo/authz.example.com", "port": 9000}},
    ]  # fmt: skip
    policies, _ = parse(ENTRY.format(http=app.server_port, grpc=authorizer))
    workload = Workload(
        "foo", "web", services=("web",), ports=(WorkloadPort(port, "http", app_port=app.server_port),), outbound_port=free()
    )
    chosen = custom(request.param, "private", {"to": [{"operation": {"paths": ["/private*"]}}]})
    resources = Compiler().compile(Snapshot(mesh(*providers), [*policies, chosen], [workload], 1), workload, Demand())
    static = bootstrap.static([("web", resources)], bootstrap.Authority().issue("foo", "web"), admin=admin, apart=False)
    with bootstrap.running(static, folder, "web"):
        yield request.param, port
    server.stop(None)
    app.shutdown()
    app.server_close()


def get(port: int, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.envoy
def test_a_real_authorizer_is_asked_about_what_the_policy_speaks_of_and_nothing_else(asked: tuple[str, int]):
    kind, port = asked
    assert get(port, "/public") == 200
    assert get(port, "/private") == (403 if kind == "http" else 401)
    assert get(port, "/private", x_word="please") == 200
