"""Trust-domain aliases: a principal of one of the mesh's names is a principal of each (Istio: pilot/pkg/security/trustdomain)."""

from collections.abc import Sequence

LOCAL = "cluster.local"
"""In a policy it points to the mesh's own trust domain, whatever that is called."""


def expanded(principals: Sequence[str], trust_domains: Sequence[str]) -> list[str]:
    """`trust_domains`: the mesh's own first, then its aliases."""
    return [each for principal in principals for each in _expanded(principal, trust_domains)]


def _expanded(principal: str, trust_domains: Sequence[str]) -> list[str]:
    domain, slash, rest = principal.partition("/")
    if not slash or principal.count("/") != 4 or domain == "*":
        return [principal]  # it does not ask for a trust domain
    if not any(_matches(domain, known) for known in trust_domains) and domain != LOCAL:
        return [principal]
    # `*-td` takes in some of the names as it stands; each other name is written out.
    found = [principal if _ends(known, domain) else f"{known}/{rest}" for known in trust_domains]
    return list(dict.fromkeys(found))


def expanded_names(names: Sequence[str], trust_domains: Sequence[str]) -> list[str]:
    found = [each for name in names for each in (trust_domains if name in trust_domains else (name,))]
    return list(dict.fromkeys(found))


def _matches(name: str, pattern: str) -> bool:
    """Istio compares the policy's domain, wildcard and all, with the mesh's names."""
    return name == pattern or _ends(pattern, name) or (pattern.endswith("*") and name.startswith(pattern[:-1])) or _ends(name, pattern)


def _ends(name: str, pattern: str) -> bool:
    return pattern.startswith("*") and name.endswith(pattern[1:])
