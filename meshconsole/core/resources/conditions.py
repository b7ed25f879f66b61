"""What the status that comes along with an object says (`kubectl get -o yaml`): read for what is amiss, and not kept."""

from collections.abc import Iterator
from typing import Any

from .messages import Level, Message

_OF_ISTIO = ("istio.io/", "gateway.networking.k8s.io/")
_PARTIAL = "PartiallyInvalid"
_OURS = ("Accepted", "Programmed")
"""What the console's API says itself of each object: true of now, not of what is being written."""


def amiss(status: Any) -> Iterator[Message]:
    """IST0171 (Istio: ConditionAnalyzer). Conditions of other programs are theirs."""
    found = status.get("conditions") if isinstance(status, dict) else None
    for i, each in enumerate(found if isinstance(found, list) else ()):
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            continue
        type_, reason = each["type"], each.get("reason", "")
        if type_ in _OURS or ("/" in type_ and not type_.startswith(_OF_ISTIO)):
            continue
        if str(each.get("status")) == "False" or reason == _PARTIAL:
            text = f"Negative condition {type_!r} found: {str(reason)[:100]}: {str(each.get('message', ''))[:300]}"
            yield Message(Level.WARNING, "IST0171", text, path=f"status.conditions[{i}]")
