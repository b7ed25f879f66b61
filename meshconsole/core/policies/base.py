"""The seam of every kind of policy: one schema and its hooks, each optional. One file here is one kind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Protocol, Self

from meshconsole.core.envoy.draft import Draft
from meshconsole.core.envoy.rendered import Additions, Context, Rendered
from meshconsole.core.envoy.resource_set import Origin, XdsType
from meshconsole.core.mesh.model import Endpoint, MeshConfig, Service
from meshconsole.core.resources.envelope import Resource
from meshconsole.core.resources.messages import Level, Message


class Phase(IntEnum):
    """When a kind writes into a draft: a later phase may read what an earlier one wrote."""

    SERVERS = 10  # Gateway: what is listened to at all
    CREDENTIALS = 15  # Secret: what their TLS is done with
    ROUTES = 20  # VirtualService: where requests go
    CLUSTERS = 30  # DestinationRule: how they get there
    IDENTITY = 40  # PeerAuthentication
    AUTHN = 45  # RequestAuthentication
    AUTHZ = 50  # AuthorizationPolicy
    LIMITS = 60  # RateLimit
    TELEMETRY = 70
    PATCH = 100  # EnvoyFilter: after everything


class View(Protocol):
    """What a policy may look at while it writes. Every read goes through here, so that the compiler knows what a unit depends on."""

    mesh: MeshConfig
    namespace: str
    """The client's namespace (sidecar, outbound); the workload's own one (inbound, gateway)."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The client's labels (the workload's own ones, inbound and gateway). Read single ones: what is compiled is shared by all clients that
        answer the same."""

    @property
    def gateway(self) -> bool:
        """Is the client a gateway proxy?"""

    @property
    def locality(self) -> str:
        """Where the client is: `region/zone/sub-zone`; '' where nobody said."""

    def peers(self) -> Sequence[str]:
        """The places of the healthy instances of the client's own service, its own among them; () where it serves none."""

    def service(self, host: str, namespace: str) -> Service | None:
        """The service that `host`, as written in a rule of `namespace`, names for this unit's client; None if there is none visible.
        A name without dots is `<host>.<namespace>.svc.<domain>`."""

    def fqdn(self, host: str, namespace: str) -> str:
        """`host` as written in a rule of `namespace`, fully qualified."""

    def cluster(self, host: str, namespace: str, *, port: int | None = None, subset: str = "", default_port: int) -> str:
        """The name of the cluster for a destination: `outbound|<port>|<subset>|<fqdn>`. Without `port`: the service's only port, else `default_port`."""

    def policies(self, kind: type["Policy"], namespace: str | None = None) -> Sequence["Policy"]:
        """All policies of a kind (in a namespace), oldest first."""


class Policy(Resource):
    phase: ClassVar[Phase | None] = None
    confidential: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Mappings beside `metadata` whose values are secrets, but for those of these names: encrypted at rest, redacted wherever shown."""

    def fetches(self) -> Iterator[tuple[str, str]]:
        """(path, URI) of the key sets that it needs and does not hold: the console fetches them."""
        return iter(())

    def fetched(self, documents: Mapping[str, str]) -> Self:
        """Itself with those key sets, as far as they are known: URI -> document."""
        return self

    def dated(self, now: datetime) -> Iterator[Message]:
        """What is to be said of it only now: of certificates that lapse. Warnings; asked when it is written."""
        return iter(())

    def check(self) -> Iterator[Message]:
        """Its own sense, beyond the schema: field combinations, ranges, regular expressions. Paths are relative to the document."""
        return iter(())

    def error(self, path: str, text: str, code: str = "IST0106") -> Message:
        """For `check`: what makes the document be refused (Istio: SchemaValidationError)."""
        return Message(Level.ERROR, code, text, self.key, path)

    def warning(self, path: str, text: str, code: str = "IST0133") -> Message:
        """For `check`: what the user should know (Istio: SchemaWarning)."""
        return Message(Level.WARNING, code, text, self.key, path)

    def origin(self, path: str = "") -> Origin:
        """What a draft is told of where it came from."""
        return Origin(self.kind, self.metadata.namespace, self.metadata.name, path)

    def services(self, mesh: MeshConfig) -> Iterator[Service]:
        """Services that this resource declares (ServiceEntry)."""
        return iter(())

    def endpoints(self) -> Iterator[Endpoint]:
        """Endpoints that this resource declares for services of its namespace that select them (WorkloadEntry)."""
        return iter(())

    def subsets(self) -> Iterator[str]:
        """Names of the subsets that it defines of the services that it concerns (DestinationRule)."""
        return iter(())

    def narrow(self, scope: Any) -> Any:
        """What a client may see, made smaller (Sidecar): takes and returns a core.mesh.scope.Scope, whose docstring says how to choose."""
        return scope

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None:
        """The fully qualified hosts (maybe wildcards) that it can write into the drafts of; None: any. It is an index, not a rule: `apply` is
        given only policies that concern the draft's host (a wildcard concerns every host that it matches), so that 1,000 hosts with
        1,000 policies do not look at one another, and a change touches the hosts that it concerns."""
        return None

    @classmethod
    def exported_by_default(cls, mesh: MeshConfig) -> tuple[str, ...]:
        """The namespaces that see it where its own `exportTo` says nothing."""
        return ("*",)

    def workload_labels(self) -> Mapping[str, str]:
        """The labels that a workload must bear for this policy to hold there (`spec.selector.matchLabels`); {} any. An index, as `concerns`:
        the drafts of workloads that do not bear them never see it."""
        return getattr(getattr(self.spec, "selector", None), "match_labels", None) or {}

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        """Write into `draft`. `policies` are all of this kind that exist and are visible to the unit, oldest first; selecting among
        them and precedence are the kind's own rules. Called for every kind of draft: return at once for those that are not yours."""

    def patches(self, context: Context, type_: XdsType | None) -> bool:
        """May it change resources of that type there (EnvoyFilter)? None: any. An index: `patch` and `add` are given only those that say so."""
        return False

    @classmethod
    def patch(cls, policies: Sequence[Self], resource: Rendered, view: View) -> None:
        """Change a resource after every kind has written, right before it is serialised. `policies` are those of the root namespace and of
        the proxy's own that `patches`, oldest first."""

    @classmethod
    def ports_apart(cls, policies: Sequence[Self], view: View) -> Iterable[int]:
        """Outbound ports whose virtual hosts it changes for the filters before them: these must stand before the first request comes."""
        return ()

    @classmethod
    def add(cls, policies: Sequence[Self], context: Context, view: View) -> Additions:
        """What a proxy gets besides."""
        return Additions()
