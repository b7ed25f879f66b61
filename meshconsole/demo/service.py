"""
What every demo workload shares: a threaded HTTP/1.1 server, and calls to others that pass the trace headers on.

Passing headers on is the one thing that a mesh asks of an application. Calls go to `http://<service>:9080` through
`http_proxy`, which is how an application reaches the mesh in explicit mode.
"""

import argparse
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx

PASSED_ON = (
    # Envoy, W3C and B3; then what Bookinfo's own routing rules look at.
    "x-request-id", "traceparent", "tracestate", "baggage",
    "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags",
    "end-user", "authorization", "cookie", "user-agent",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    def passed_on(self) -> dict[str, str]:
        return {name: self.headers[name] for name in PASSED_ON if name in self.headers}


@dataclass(frozen=True)
class Response:
    body: str
    status: int = 200
    content_type: str = "application/json"

    @staticmethod
    def json(value: object, status: int = 200) -> "Response":
        return Response(json.dumps(value), status)


Handle = Callable[[Request], Response]
mesh = httpx.Client(timeout=10, proxy=os.environ.get("http_proxy") or None, trust_env=False)


def call(service: str, path: str, request: Request) -> httpx.Response | None:
    """GET `http://<service>:9080<path>`; None when it cannot be had (no answer, or an error status)."""
    try:
        answer = mesh.get(f"http://{service}:9080{path}", headers=request.passed_on())
    except httpx.HTTPError:
        return None
    return answer if answer.is_success else None


def serve(handle: Handle, address: str, port: int) -> None:
    """Answer until SIGTERM."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one segment

        def setup(self) -> None:
            super().setup()
            self.connection.settimeout(75)  # an idle keep-alive connection ends; Envoy opens another

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            headers = {k.lower(): v for k, v in self.headers.items()}
            request = Request(url.path, {k: v[0] for k, v in parse_qs(url.query).items()}, headers)
            response = Response('{"status": "ok"}') if url.path == "/health" else handle(request)
            body = response.body.encode()
            self.send_response(response.status)
            self.send_header("content-type", response.content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass  # Envoy's access log says it better

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server((address, port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.2)


def arguments(service: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m meshconsole.demo.{service}")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9080)
    parser.add_argument("--version", default="v1")
    return parser.parse_args()
