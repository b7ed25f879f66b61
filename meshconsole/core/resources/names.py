"""What names and labels may look like (Kubernetes' rules, which Istio's users know)."""

import re
from collections.abc import Iterator, Sequence

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def name_fault(name: str) -> str:
    """What is wrong with an object's name; '' when it is right (RFC 1123 subdomain)."""
    if len(name) > 253:
        return f"{len(name)} characters are more than 253"
    if not _SUBDOMAIN.fullmatch(name):
        return f"{name!r} must be lower-case letters, digits, '-' and '.', and begin and end with a letter or digit"
    return ""


def namespace_fault(name: str) -> str:
    """The same for a namespace (RFC 1123 label)."""
    if len(name) > 63:
        return f"{len(name)} characters are more than 63"
    if not _LABEL.fullmatch(name):
        return f"{name!r} must be lower-case letters, digits and '-', and begin and end with a letter or digit"
    return ""


def label_faults(labels: dict[str, str], *, selecting: bool = False) -> list[tuple[str, str]]:
    """(key, what is wrong) of each label that Kubernetes would refuse."""
    faults = []
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not name or len(name) > 63 or not _LABEL_NAME.fullmatch(name) or (slash and name_fault(prefix)):
            faults.append((key, f"the label key {key!r} must be like app or example.com/app, with at most 63 characters after the slash"))
        elif value and (len(value) > 63 or not _LABEL_NAME.fullmatch(value)):
            wild = " (wildcards are not supported in a selector)" if selecting and "*" in value else ""
            faults.append((key, f"the label value {value!r} must be letters, digits, '-', '_' or '.', at most 63 of them{wild}"))
    return faults


def export_faults(export_to: Sequence[str], namespace: str, *, nobody: bool = False) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) with `spec.exportTo` of a policy of `namespace`; `nobody`: may it be `~`? (Istio: validateExportTo)"""
    seen: set[str] = set()
    for n, target in enumerate(export_to):
        meant = namespace if target == "." else target
        if target == "~" and not nobody:
            yield f"spec.exportTo[{n}]", "'~' (nobody) is only for ServiceEntry; write '.', '*' or a namespace"
        elif target not in (".", "*", "~") and namespace_fault(target):
            yield f"spec.exportTo[{n}]", f"{target!r} must be '.', '*' or a namespace"
        elif meant in seen:
            yield f"spec.exportTo[{n}]", f"{target!r} is there already; keep one"
        seen.add(meant)
    if len(seen) > 1 and seen & {"*", "~"}:
        yield "spec.exportTo", "'*' and '~' stand alone: nothing is added to all or to nobody"


_HOST_PART = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?")


def host_fault(host: str, *, wildcard: bool = True) -> str:
    """What is wrong with a host as a policy writes it: a short name, a fully qualified one, `*` or `*.example.com`."""
    if not host:
        return "a host must not be empty"
    if host == "*":
        return "" if wildcard else "'*' cannot stand here; name a host"
    rest = host
    if host.startswith("*"):
        if not wildcard:
            return f"{host!r}: a wildcard cannot stand here; name a host"
        rest = host[2:] if host.startswith("*.") else host[1:].lstrip("-")
    if len(host) > 255 or not rest or not all(len(p) <= 63 and _HOST_PART.fullmatch(p) for p in rest.rstrip(".").split(".")):
        return f"{host!r} is no host name; write one like reviews, reviews.default.svc.cluster.local or *.example.com"
    return ""
