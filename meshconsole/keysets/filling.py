"""Policies with the keys that they ask for by URI, so that the compiler, which asks nobody, finds them where it looks."""

import threading
from collections.abc import Sequence

from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Message

from .models import KeySet

_lock = threading.Lock()
_filled: dict[int, tuple[Policy, tuple[str, ...], Policy]] = {}


def filled(policies: Sequence[Policy]) -> list[Policy]:
    """An unchanged policy with unchanged keys is the same object as last time."""
    global _filled
    asking = {id(policy): [uri for _, uri in policy.fetches()] for policy in policies if type(policy).fetches is not Policy.fetches}
    if not any(asking.values()):
        return list(policies)
    documents = dict(KeySet.objects.exclude(keys="").values_list("uri", "keys"))
    with _lock:
        found: dict[int, tuple[Policy, tuple[str, ...], Policy]] = {}
        for policy in policies:
            if uris := asking.get(id(policy)):
                keys = tuple(documents.get(uri, "") for uri in uris)
                before = _filled.get(id(policy))
                known = before is not None and before[0] is policy and before[1] == keys
                found[id(policy)] = before if known and before else (policy, keys, policy.fetched(documents))
        _filled = found
        return [found[id(policy)][2] if id(policy) in found else policy for policy in policies]


def messages(policies: Sequence[Policy]) -> list[Message]:
    """What is to be said to whoever writes such a policy now."""
    wanted = [(policy, path, uri) for policy in policies for path, uri in policy.fetches()]
    if not wanted:
        return []
    known = {row.uri: row for row in KeySet.objects.filter(uri__in={uri for _, _, uri in wanted})}
    said = []
    for policy, path, uri in wanted:
        row = known.get(uri)
        if row is None or (not row.keys and not row.error):
            said.append(policy.warning(path, "the keys are being fetched; until they are there, tokens of this issuer are refused (401)"))
        elif row.error:
            stay = f"the keys of {row.fetched:%Y-%m-%d %H:%M} UTC stay" if row.fetched else "tokens of this issuer are refused (401)"
            said.append(policy.warning(path, f"the keys could not be fetched the last time: {row.error}; {stay}"))
    return said
