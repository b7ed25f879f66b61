"""
Where Prometheus scrapes this workload: /metrics (and Istio's /stats/prometheus) on the workload's own address, and nothing else.

The one port of the agent that other hosts reach, so it only tells figures: not Envoy's admin interface, not the agent's configuration.
"""

import errno
import hmac
import logging
import socket

from .options import Options
from .relay.exporter import Exporter
from .serving import METRICS, Answer, Request, Serving

log = logging.getLogger("proxyagent.metrics")

DEFAULT_PORT = 15020
"""Istio's."""
PATHS = ("/metrics", "/stats/prometheus")


class Scraped:
    def __init__(self, options: Options) -> None:
        self._token = options.metrics_token
        self._socket = _bound(options)
        self._exporter: Exporter | None = None
        self._serving = Serving(self._answer)

    @property
    def port(self) -> int:
        """What the console is told, for `/sd/prometheus`; 0: nothing is served."""
        return self._socket.getsockname()[1] if self._socket else 0

    async def start(self, exporter: Exporter) -> None:
        self._exporter = exporter
        if self._socket:
            await self._serving.on_socket(self._socket)

    async def stop(self) -> None:
        await self._serving.stop()

    async def _answer(self, request: Request) -> Answer:
        if request.path not in PATHS or self._exporter is None:
            return Answer("404 Not Found", b"/metrics\n")
        if self._token and not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self._token}".encode()):
            return Answer("401 Unauthorized", b"a bearer token is needed\n", headers=(("WWW-Authenticate", "Bearer"),))
        return Answer("200 OK", (await self._exporter.page()).encode(), METRICS)


def _bound(options: Options) -> socket.socket | None:
    """Where nothing was asked for and Istio's port is taken (several agents on one address), any free one: the console names it to Prometheus."""
    if options.metrics_port == 0:
        return None
    own = {p.number for p in options.workload.ports}
    wanted = [options.metrics_port] if options.metrics_port else [p for p in (DEFAULT_PORT, 0) if p not in own]
    for port in wanted:
        bound = socket.socket(socket.AF_INET6 if ":" in options.workload.address else socket.AF_INET)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((options.workload.address, port))
            bound.listen(64)
        except OSError as e:
            bound.close()
            if e.errno == errno.EADDRINUSE and port != wanted[-1]:
                continue
            log.error("metrics are not served on %s:%s: %s", options.workload.address, port, e.strerror or e)
        else:
            return bound
    return None
