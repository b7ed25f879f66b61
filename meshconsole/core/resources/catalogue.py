"""Every code that a message can bear: Istio's where Istio has one, else ours (`MSH…`). Codes are stable: a retired one stays listed and is not used again."""

from typing import NamedTuple

from .messages import Level


class Entry(NamedTuple):
    level: Level
    """What it usually is; a message says what it is here."""
    name: str
    meaning: str


SYNTAX = "MSH0001"
UNKNOWN_FIELD = "MSH0002"
UNSUPPORTED = "MSH0003"
EMPTY = "MSH0004"
DUPLICATE = "MSH0005"
UNSTORABLE = "MSH0006"
ELSEWHERE = "MSH0007"
UNPATCHABLE = "MSH0008"
NO_MATCH = "MSH0150"
SHADOWED = "MSH0151"
UNBOUND = "MSH0152"
DEPRECATED = "IST0002"
SCHEMA_ERROR = "IST0106"
SCHEMA_WARNING = "IST0133"

_E, _W, _I = Level.ERROR, Level.WARNING, Level.INFO

CATALOGUE: dict[str, Entry] = {
    SYNTAX: Entry(_E, "SyntaxError", "What was sent is no YAML or JSON that can be taken."),
    UNKNOWN_FIELD: Entry(_E, "UnknownField", "The kind has no such field."),
    UNSUPPORTED: Entry(_E, "NotSupportedYet", "Istio has the field, Meshconsole does not yet."),
    EMPTY: Entry(_E, "NothingSent", "What was sent holds no object."),
    DUPLICATE: Entry(_E, "SentTwice", "One object stands twice in what was sent."),
    UNSTORABLE: Entry(_E, "CannotBeStored", "What was sent is larger or deeper than the store takes."),
    ELSEWHERE: Entry(_E, "OtherThanItsPlace", "The object says another name, namespace or kind than the URL that it was sent to."),
    UNPATCHABLE: Entry(_E, "PatchDoesNotFit", "A patch speaks of what the object does not have."),
    NO_MATCH: Entry(_W, "EnvoyFilterMatchesNothing", "What a patch is to change is in no proxy."),
    SHADOWED: Entry(_W, "ServiceEntryPortMeansAnother", "A TCP port is another service's: connections to it cannot be told apart."),
    UNBOUND: Entry(_W, "PortCannotBeListenedTo", "A proxy cannot listen at a TCP service's port: its host has no place there."),
    "MSH0201": Entry(_W, "PlaintextWouldBeCut", "Callers that send plaintext now would be refused."),
    "MSH0403": Entry(_E, "Forbidden", "You may not do that, there."),
    "MSH0404": Entry(_E, "Missing", "There is no such object."),
    "MSH0409": Entry(_E, "Conflict", "The object was changed meanwhile, or exists already."),
    "MSH0413": Entry(_E, "TooLarge", "More was sent than is taken at once."),
    DEPRECATED: Entry(_W, "Deprecated", "A feature that the configuration depends on is deprecated."),
    "IST0101": Entry(_E, "ReferencedResourceNotFound", "A resource that is referred to does not exist."),
    SCHEMA_ERROR: Entry(_E, "SchemaValidationError", "A field says what it may not, or fields contradict one another."),
    "IST0109": Entry(_E, "ConflictingMeshGatewayVirtualServiceHosts", "Several VirtualServices of the sidecars speak of one host."),
    "IST0110": Entry(_E, "ConflictingSidecarWorkloadSelectors", "Several Sidecars select the same workload."),
    "IST0111": Entry(_E, "MultipleSidecarsWithoutWorkloadSelectors", "Several Sidecars of a namespace select all of its workloads."),
    "IST0112": Entry(_E, "VirtualServiceDestinationPortSelectorRequired", "A destination has several ports, and none is named."),
    "IST0118": Entry(_I, "PortNameIsNotUnderNamingConvention", "A port's name does not begin with its protocol, which is then sniffed."),
    "IST0126": Entry(_E, "UnknownMeshNetworksServiceRegistry", "A network names a registry of another cluster."),
    "IST0127": Entry(_W, "NoMatchingWorkloadsFound", "No workload bears the labels that a policy selects."),
    "IST0128": Entry(_W, "NoServerCertificateVerificationDestinationLevel", "A server's certificate is not verified: no CA certificates."),
    "IST0129": Entry(_W, "NoServerCertificateVerificationPortLevel", "The same, for one port."),
    "IST0130": Entry(_W, "VirtualServiceUnreachableRule", "A rule is never used, for one before it takes all of its requests."),
    "IST0131": Entry(_I, "VirtualServiceIneffectiveMatch", "A match stands already in a rule before it."),
    "IST0132": Entry(_W, "VirtualServiceHostNotFoundInGateway", "A host is not among those of the Gateway."),
    SCHEMA_WARNING: Entry(_W, "SchemaWarning", "A field has an effect that is probably not meant."),
    "IST0134": Entry(_W, "ServiceEntryAddressesRequired", "A TCP port is told apart only by virtual addresses."),
    "IST0138": Entry(
        _W, "GatewayDuplicateCertificate", "Several Gateways use one certificate: clients that reuse connections may get 404."
    ),
    "IST0140": Entry(_W, "IngressRouteRulesNotAffected", "A gateway's route goes past the subsets that another VirtualService chooses."),
    "IST0145": Entry(_E, "ConflictingGateways", "Several Gateways claim the same port and hosts of the same proxies."),
    "IST0149": Entry(_E, "JwtClaimBasedRoutingWithoutRequestAuthN", "A route reads JWT claims that nobody verifies."),
    "IST0151": Entry(
        _W, "EnvoyFilterUsesRelativeOperation", "A patch depends on what other patches have done, and no priority says the order."
    ),
    "IST0152": Entry(_E, "EnvoyFilterUsesReplaceOperationIncorrectly", "REPLACE is for filters and virtual hosts."),
    "IST0153": Entry(_E, "EnvoyFilterUsesAddOperationIncorrectly", "ADD is not for route configurations and routes."),
    "IST0154": Entry(_E, "EnvoyFilterUsesRemoveOperationIncorrectly", "REMOVE is not for route configurations and routes."),
    "IST0155": Entry(_W, "EnvoyFilterUsesRelativeOperationWithProxyVersion", "As IST0151, and for one release of Istio only."),
    "IST0157": Entry(_W, "InvalidTelemetryProvider", "A Telemetry names no provider."),
    "IST0159": Entry(_E, "ConflictingTelemetryWorkloadSelectors", "Several Telemetries select the same workload."),
    "IST0160": Entry(_E, "MultipleTelemetriesWithoutWorkloadSelectors", "Several Telemetries of a namespace select all of its workloads."),
    "IST0161": Entry(_E, "InvalidGatewayCredential", "A credential that a Gateway names does not exist, or lacks what is needed."),
    "IST0165": Entry(_W, "ReferencedInternalGateway", "A VirtualService is bound to a gateway that Istio makes for itself."),
    "IST0167": Entry(_W, "IneffectivePolicy", "A policy has no effect."),
    "IST0171": Entry(_W, "NegativeConditionStatus", "The object's status, as it was sent, says that something is not as it should be."),
    "IST0173": Entry(_E, "DestinationRuleSubsetNotSelectPods", "A subset selects no instance."),
    "IST0174": Entry(_W, "UnknownDestinationRuleHost", "A DestinationRule's host is no service of the mesh."),
    "IST0175": Entry(_W, "JwksUriFetchUnrestricted", "Keys of issuers may be fetched from private addresses."),
    "IST0177": Entry(_W, "ConflictingServiceEntryProtocol", "Several ServiceEntries declare one port with different protocols."),
}
