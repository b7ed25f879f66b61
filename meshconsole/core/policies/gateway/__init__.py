"""Gateway: what a gateway proxy listens to, and under which names. VirtualServices say where the requests go."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, Self

from meshconsole.core.envoy.draft import Draft, GatewayDraft, ServerDraft, Serves
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.endpoints import UNIX
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .._server_tls import context, needed
from ..base import Phase, Policy, View
from .checks import HTTP, server_problems, serves
from .schema import GatewaySpec, Server


class Gateway(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "gateways"
    short_names: ClassVar[tuple[str, ...]] = ("gw",)
    phase: ClassVar[Phase | None] = Phase.SERVERS

    spec: GatewaySpec
    """The servers, and whose they are."""

    def workload_labels(self) -> dict[str, str]:
        return self.spec.selector

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, GatewayDraft):
            return
        assert isinstance(draft.workload, Workload)
        for gateway in policies:
            if selects(gateway.spec.selector, draft.workload.labels):
                draft.servers += gateway._servers(view)

    def _servers(self, view: View) -> Iterator[ServerDraft]:
        for i, server in enumerate(self.spec.servers):
            kind = serves(server)
            plain = kind in (Serves.TLS, Serves.MESH) or server.port.protocol.upper() in HTTP
            ends = None if plain else server.tls
            yield ServerDraft(
                gateway=f"{self.metadata.namespace}/{self.metadata.name}",
                bind=server.bind.removeprefix(UNIX),
                port=server.port.number,
                protocol=server.port.protocol.upper(),
                name=server.port.name,
                hosts=tuple(server.hosts),
                serves=kind,
                tls=context(ends, view.mesh.trust_domain, http=kind is Serves.HTTP) if ends else None,
                https_redirect=server.tls is not None and server.tls.https_redirect,
                credentials=needed(ends) if ends else (),
                origin=self.origin(f"spec.servers[{i}]"),
            )

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in problems(self.spec.selector, "spec.selector"))
        if not self.spec.servers:
            yield self.warning("spec.servers", "gateway must have at least one server: this one serves nothing")
        names: dict[str, Server] = {}
        for i, server in enumerate(self.spec.servers):
            path = f"spec.servers[{i}]"
            yield from (self.error(f"{path}.{field}" if field else path, text) for field, text in server_problems(server))
            same = names.setdefault(server.port.name, server)
            if same is not server:
                # Envoy's route configurations of TLS servers are named by port and name; plain ones share one.
                collides = server.tls is not None and same.tls is not None and same.port.number == server.port.number
                say = self.error if collides else self.warning
                yield say(f"{path}.port.name", f"port names in servers must be unique: duplicate name {server.port.name}")
            if server.tls and server.tls.https_redirect and server.port.protocol.upper() == "HTTPS":
                yield self.warning(f"{path}.tls.httpsRedirect", "tls.httpsRedirect should only be used with http servers")
