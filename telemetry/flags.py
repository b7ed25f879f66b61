"""Envoy's response flags: the short name of each, its long one, and what it says to a person. Pure."""

from typing import NamedTuple


class Flag(NamedTuple):
    long: str
    words: str


FLAGS: dict[str, Flag] = {
    "DC": Flag("DownstreamConnectionTermination", "the caller hung up before the answer was complete"),
    "DF": Flag("DnsResolutionFailed", "the name of the service could not be resolved"),
    "DI": Flag("DelayInjected", "delayed by an injected fault"),
    "DO": Flag("DropOverLoad", "dropped on purpose: the service's drop policy for overload"),
    "DPE": Flag("DownstreamProtocolError", "the caller spoke broken HTTP"),
    "DR": Flag("DownstreamRemoteReset", "the caller reset the stream"),
    "DT": Flag("DurationTimeout", "the stream or connection lived longer than it may"),
    "FI": Flag("FaultInjected", "aborted by an injected fault"),
    "IH": Flag("InvalidEnvoyRequestHeaders", "the request has an invalid header"),
    "LH": Flag("FailedLocalHealthCheck", "the service failed its own health check"),
    "LR": Flag("LocalReset", "Envoy reset the stream"),
    "NC": Flag("NoClusterFound", "the route leads to a cluster that does not exist"),
    "NFCF": Flag("NoFilterConfigFound", "a filter's configuration did not come in time"),
    "NR": Flag("NoRouteFound", "no route matches the request"),
    "OM": Flag("OverloadManagerTerminated", "refused by the overload manager"),
    "RFCF": Flag("ResponseFromCacheFilter", "answered from the cache"),
    "RL": Flag("RateLimited", "limited by the rate limit"),
    "RLSE": Flag("RateLimitServiceError", "the rate limit service failed"),
    "SI": Flag("StreamIdleTimeout", "the stream was idle for too long"),
    "UAEX": Flag("UnauthorizedExternalService", "denied by external authorization"),
    "UC": Flag("UpstreamConnectionTermination", "the connection to the service broke"),
    "UF": Flag("UpstreamConnectionFailure", "no connection to the service could be made"),
    "UH": Flag("NoHealthyUpstream", "the service has no healthy endpoint"),
    "UMSDR": Flag("UpstreamMaxStreamDurationReached", "the stream to the service lived longer than it may"),
    "UO": Flag("UpstreamOverflow", "the circuit breaker is open: too many requests at once"),
    "UPE": Flag("UpstreamProtocolError", "the service spoke broken HTTP"),
    "UR": Flag("UpstreamRemoteReset", "the service reset the stream"),
    "URX": Flag("UpstreamRetryLimitExceeded", "all retries (or connection attempts) are used up"),
    "UT": Flag("UpstreamRequestTimeout", "the service did not answer in time"),
}
"""By Envoy's short names (%RESPONSE_FLAGS%); long ones are %RESPONSE_FLAGS_LONG%."""


def split(flags: str) -> tuple[str, ...]:
    """`UF,URX` as Envoy writes them; none for `-`."""
    return tuple(flag for flag in flags.split(",") if flag not in ("", "-"))


def in_words(flags: str) -> tuple[str, ...]:
    return tuple(FLAGS[flag].words for flag in split(flags) if flag in FLAGS)
