"""What a rule says to the HTTP filters: faults and CORS, as configuration of the route."""

from meshconsole.core.envoy.draft import Json
from meshconsole.core.envoy.vocabulary import ENVOY
from meshconsole.core.resources.common import StringMatch, proto_duration, seconds

from .fields import grpc_status
from .matching import string_match
from .schema import Cors, Fault, Preflights


def fault(said: Fault) -> Json:
    """extensions.filters.http.fault.v3.HTTPFault. Without a percentage nothing happens (Istio's API says so for abort, and so it is for delay)."""
    made: Json = {"@type": f"{ENVOY}extensions.filters.http.fault.v3.HTTPFault"}
    if said.delay and said.delay.fixed_delay:
        percentage = said.delay.percentage
        share: Json = percentage.fraction if percentage is not None else {"numerator": said.delay.percent, "denominator": "HUNDRED"}
        made["delay"] = {"fixed_delay": proto_duration(said.delay.fixed_delay), "percentage": share}
    if said.abort:
        abort: Json = {"percentage": said.abort.percentage.fraction if said.abort.percentage else {"numerator": 0}}
        if said.abort.http_status is not None:
            abort["http_status"] = said.abort.http_status
        else:
            abort["grpc_status"] = grpc_status(said.abort.grpc_status)
        made["abort"] = abort
    return made


def cors(said: Cors) -> Json:
    """extensions.filters.http.cors.v3.CorsPolicy."""
    origins = said.allow_origins or [StringMatch(regex=".*") if o == "*" else StringMatch(exact=o) for o in said.allow_origin]
    made: Json = {
        "@type": f"{ENVOY}extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [string_match(origin) for origin in origins],
        "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        "forward_not_matching_preflights": said.unmatched_preflights is not Preflights.IGNORE,
    }
    for name in ("allow_methods", "allow_headers", "expose_headers"):
        if values := getattr(said, name):
            made[name] = ",".join(values)
    if said.max_age:
        made["max_age"] = str(int(seconds(said.max_age)))
    if said.allow_credentials is not None:
        made["allow_credentials"] = said.allow_credentials
    return made
