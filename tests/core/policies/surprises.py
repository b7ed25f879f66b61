"""A mesh for what surprises in Istio's defaults: three clients in three namespaces, a gateway, and instances that can be held and made ill."""

import copy
import http.client
import http.server
import json
import socketserver
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.policies import parse
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

from .test_traffic_with_envoy import Answer, Handler, Instance

HERE = Path(__file__).parent


class Ill(Handler):
    """`/hold` waits until it is let go; `/once/<id>` fails the first time; keeps which host was named, and by how many connections."""

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        one = self.server
        one.hosts.append((self.path, self.headers["host"]))  # type: ignore[attr-defined]
        if self.path == "/hold":
            one.held.wait(20)  # type: ignore[attr-defined]
        if self.path == "/long":
            time.sleep(15.5)
        self._fails = self.path.startswith("/once/") and self.path not in one.requests
        super().do_GET()

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(500 if self._fails else code, message)

    do_OPTIONS = do_GET


class Preface(socketserver.StreamRequestHandler):
    """Says, in HTTP/1.1, by which protocol it was called; who speaks HTTP/2 is not answered."""

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        self.server.heard.append(line.split()[-1])  # type: ignore[attr-defined]
        if line.endswith("HTTP/1.1\r\n"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


def made(name: str) -> Instance:
    one = Instance(name)
    one.RequestHandlerClass = Ill
    one.hosts, one.held, one.connections = [], threading.Event(), 0  # type: ignore[attr-defined]
    return one


class _Late:
    """Holds back one endpoint of a cluster, the one at `port`; Envoy reads the others from a file, and again when the file is replaced."""

    def __init__(self, path: Path, config: dict[str, Any], cluster: str, port: int):
        self.path, self.began = path, time.monotonic()
        body = next(each for each in config["static_resources"]["clusters"] if each["name"] == cluster)
        self._endpoints = body.pop("load_assignment")
        body["type"] = "EDS"
        body["eds_cluster_config"] = {"eds_config": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}}
        few = copy.deepcopy(self._endpoints)
        few["endpoints"][0]["lb_endpoints"] = [
            each for each in few["endpoints"][0]["lb_endpoints"] if each["endpoint"]["address"]["socket_address"]["port_value"] != port
        ]
        self._write(few)

    def come(self) -> None:
        self._write(self._endpoints)

    def _write(self, assignment: dict[str, Any]) -> None:
        kind = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"version_info": str(time.monotonic()), "resources": [{"@type": kind, **assignment}]}))
        new.rename(self.path)


@dataclass
class Mesh:
    outbound: dict[str, int]
    admins: dict[str, str]
    instances: dict[str, Instance]
    heard: list[str]
    late: "_Late"
    """The instance v3 of warm.test, which comes when it is told to."""

    long: "Future[Answer]" = field(default_factory=Future)
    """What a service answers that takes 15.5 seconds."""

    def __getitem__(self, name: str) -> Instance:
        return self.instances[name]

    def begin_long(self) -> None:
        def ask() -> None:
            try:
                self.long.set_result(self.get("never.test", "/long"))
            except (OSError, http.client.HTTPException) as gone:  # the mesh was stopped meanwhile
                self.long.set_exception(gone)

        threading.Thread(target=ask, daemon=True).start()

    def get(self, host: str, path: str = "/", client: str = "client", method: str = "GET", **headers: str) -> Answer:
        asked = http.client.HTTPConnection("127.0.0.1", self.outbound[client], timeout=20)
        asked.request(method, path, headers={"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}})
        began = time.monotonic()
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, time.monotonic() - began)

    def by(self, host: str, path: str = "/", client: str = "client", **headers: str) -> str:
        """The name of the instance that answered."""
        return self.get(host, path, client, **headers).seen["instance"]

    def stat(self, name: str, client: str = "client") -> int:
        with urllib.request.urlopen(f"{self.admins[client]}/stats?filter={name}", timeout=5) as answer:
            return sum(int(line.rpartition(" ")[2]) for line in answer.read().decode().splitlines())

    @contextmanager
    def status(self, code: int, *names: str) -> Iterator[None]:
        for name in names:
            self[name].status = code
        try:
            yield
        finally:
            for name in names:
                self[name].status = 200


@contextmanager
def running(folder: Path) -> Iterator[Mesh]:
    with ExitStack() as stack:
        instances = {name: made(name) for name in ("v1", "v2", "v3", "ill1", "ill2", "mirror")}
        preface = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Preface)
        preface.heard = []  # type: ignore[attr-defined]
        threading.Thread(target=lambda: preface.serve_forever(0.05), daemon=True).start()
        for each in (*instances.values(), preface):
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        names = ("client", "guest", "third", "edge")
        ports = dict(zip((*names, "dead"), free_ports(5), strict=True))
        admins = dict(zip(names, free_ports(4), strict=True))
        places = {**{n: each.server_address[1] for n, each in instances.items()}, "preface": preface.server_address[1], **ports}
        text = (HERE / "surprises.yaml").read_text()
        for name, port in places.items():
            text = text.replace(f"${{{name}}}", str(port))
        policies = parse(text)[0]
        proxies = [
            workload(f"{n}-v1", namespace=ns, ports=(), outbound_port=ports[n], locality="west/a")
            for n, ns in (("client", "default"), ("guest", "other"), ("third", "third"))
        ]
        proxies.append(Workload("default", "edge", ProxyKind.GATEWAY, labels={"istio": "edge"}))
        mesh = snapshot(policies, proxies)
        entries = [p.spec for p in policies if p.kind == "ServiceEntry"]
        asked = {f"{h}:{port.number}" for spec in entries for h in spec.hosts for port in spec.ports} | {
            "short.test",
            f"127.0.0.1:{places['v1']}",
        }
        running: dict[str, str] = {}
        for name, each in zip(names, proxies, strict=True):
            resources = Compiler().compile(mesh, each, Demand(frozenset(asked) if name != "edge" else frozenset()))
            assert not resources.failures
            config = bootstrap.static([(name, resources)], bootstrap.Authority().issue("default", "a"), admin=admins[name], apart=False)
            if name == "client":
                late = _Late(folder / "warm.json", config, "outbound|80||warm.test", places["v3"])
            running[name] = stack.enter_context(bootstrap.running(config, folder, name))
        yield Mesh(ports, running, instances, preface.heard, late)  # type: ignore[attr-defined]
