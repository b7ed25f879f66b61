"""Retries: Istio's default, what a rule overrides in it, and `attempts: 0`, which turns them off (Istio: retry.ConvertPolicy)."""

from meshconsole.core.envoy import defaults
from meshconsole.core.envoy.draft import Json
from meshconsole.core.envoy.vocabulary import typed
from meshconsole.core.resources.common import proto_duration
from meshconsole.core.resources.retries import Retries

STATUS_CODES = "retriable-status-codes"


def retry_policy(said: Retries | None) -> Json | None:
    """envoy.config.route.v3.RetryPolicy; None: no retries."""
    policy = defaults.retry_policy()
    if said is None:
        return policy
    if said.attempts == 0:
        return None
    policy["num_retries"] = said.attempts
    if conditions := [word for part in said.retry_on.split(",") if (word := part.strip())]:
        codes = [int(word) for word in conditions if word.isdigit()]
        names = [word for word in conditions if not word.isdigit()]
        if codes:
            policy["retriable_status_codes"] = codes
            if STATUS_CODES not in names:
                names.append(STATUS_CODES)
        policy["retry_on"] = ",".join(names)
    if said.per_try_timeout:
        policy["per_try_timeout"] = proto_duration(said.per_try_timeout)
    if said.retry_ignore_previous_hosts is False:
        del policy["retry_host_predicate"]
    if said.retry_remote_localities:
        name, package = "envoy.retry_priorities.previous_priorities", "extensions.retry.priority.previous_priorities.v3"
        policy["retry_priority"] = typed(name, f"{package}.PreviousPrioritiesConfig", update_frequency=2)
    if said.backoff:
        policy["retry_back_off"] = {"base_interval": proto_duration(said.backoff)}
    return policy
