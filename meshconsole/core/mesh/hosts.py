"""Host names as policies and requests write them: qualifying, wildcards, and taking an authority apart."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

_HOST = re.compile(r"(\*\.|\*)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?|\*")
_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]")


def fqdn(host: str, namespace: str, domain: str) -> str:
    """`host` as a rule of `namespace` means it: without dots it is a service of that namespace (Istio: ResolveShortnameToFQDN)."""
    if not host or "." in host or host.startswith("*") or ":" in host:
        return host.lower()
    return f"{host.lower()}.{namespace}.svc.{domain}"


def service_host(name: str, namespace: str, domain: str) -> str:
    return f"{name}.{namespace}.svc.{domain}".lower()


def is_wildcard(host: str) -> bool:
    return host.startswith("*")


def matches(pattern: str, host: str) -> bool:
    """Does `pattern` (exact, `*`, `*.example.com`) take in all of `host` (which may be a wildcard itself)?"""
    if pattern == host:
        return True
    return is_wildcard(pattern) and len(host) >= len(pattern) and host.endswith(pattern[1:])


def narrower(a: str, b: str) -> str | None:
    """The intersection of two host patterns; None where they have none in common."""
    if matches(a, b):
        return b
    if matches(b, a):
        return a
    return None


def specificity(pattern: str) -> tuple[bool, int]:
    """Sort key, the most specific last: exact beats wildcards, a longer wildcard beats a shorter one."""
    return (not is_wildcard(pattern), len(pattern))


def suffixes(host: str) -> list[str]:
    """The wildcard patterns that match `host`, the longest first: `*.b.c`, `*.c`, `*`."""
    parts = host.lstrip("*").lstrip(".").split(".")
    first = 0 if is_wildcard(host) else 1
    return ["*." + ".".join(parts[i:]) for i in range(first, len(parts)) if parts[i]] + ["*"]


def parse_authority(authority: str) -> tuple[str, int] | None:
    """(`host`, port or 0) of a Host header; None where it is none. Names are lower-cased, as Envoy matches them."""
    text = authority.strip().lower()
    host, port = text, 0
    head, colon, tail = text.rpartition(":")
    if colon and not text.endswith("]"):
        if not tail.isdigit() or not 0 < int(tail) < 65536:
            return None
        host, port = head, int(tail)
    if len(host) > 253 or is_wildcard(host) or not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        return None
    return host, port


def network(address: str) -> IPv4Network | IPv6Network | None:
    """An address (brackets and all) or a CIDR range; None where it is none."""
    try:
        return ip_network(address.strip("[]"), strict=False)
    except ValueError:
        return None


def is_address(host: str) -> bool:
    return bool(_IPV4.fullmatch(host) or _IPV6.fullmatch(host) or ":" in host)
