"""What an AuthorizationPolicy has denied in the last hour; or, as a dry run, would have: for its page."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshconsole.core.policies.authorization_policy import AuthorizationPolicy
from meshconsole.core.resources.messages import Key
from telemetry import logs
from telemetry.refusals import Refusals, refusals

SECONDS = 3600
NAMED = 3


@dataclass(frozen=True)
class Decided:
    dry: bool
    found: Refusals
    callers: tuple[tuple[str, int], ...]
    """The busiest."""
    others: int
    """Callers besides these."""


def of(kind: str, key: Key, body: Mapping[str, Any]) -> Decided | None:
    """None for other kinds. It counts at every proxy where the policy holds: whoever may read a policy may know what it does."""
    if kind not in ("AuthorizationPolicy", "RequestAuthentication") or not body:
        return None
    dry = kind == "AuthorizationPolicy" and AuthorizationPolicy.model_validate({**body, "spec": body.get("spec") or {}}).dry_run
    now = time.time() + 60
    asked = logs.Asked(policy=f"{kind} {key.namespace}/{key.name}")
    found = refusals(asked, now - 60 - SECONDS, now, would=dry)
    callers: Counter[str] = Counter()
    for group in found.groups:
        callers[group.caller or "not known"] += group.count
    busiest = callers.most_common(NAMED)
    return Decided(dry, found, tuple(busiest), len(callers) - len(busiest))
