"""Which virtual host and route take a request, and which routes before it did not, and why. Envoy's rules: the first route that matches."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import matchers
from .logic import Known, all_of
from .request import Request

Json = dict[str, Any]


@dataclass(frozen=True)
class Passed:
    """A route that did not take the request."""

    route: Json
    why: str


@dataclass(frozen=True)
class Chosen:
    route: Json
    sure: bool
    """False where it hangs on a token's claims or on chance."""


def virtual_host(hosts: Iterable[Json], authority: str) -> Json | None:
    """By domain: exact, then the longest suffix (`*.example.com`), then the longest prefix (`example.*`), then `*`."""
    name = authority.lower()
    names = {name, name.rpartition(":")[0]} if ":" in name else {name}
    best: tuple[tuple[int, int], Json] | None = None
    for host in hosts:
        for domain in map(str.lower, host.get("domains", ())):
            rank = _rank(domain, names)
            if rank is not None and (best is None or rank > best[0]):
                best = rank, host
    return best[1] if best else None


def _rank(domain: str, names: set[str]) -> tuple[int, int] | None:
    if domain in names:
        return 3, len(domain)
    if domain == "*":
        return 0, 0
    if domain.startswith("*") and any(name.endswith(domain[1:]) and len(name) > len(domain) - 1 for name in names):
        return 2, len(domain)
    if domain.endswith("*") and any(name.startswith(domain[:-1]) for name in names):
        return 1, len(domain)
    return None


def choose(host: Json, request: Request) -> tuple[Chosen | None, list[Passed]]:
    passed: list[Passed] = []
    sure = True
    for route in host.get("routes", ()):
        found, why = matches(route.get("match", {}), request)
        if found:
            return Chosen(route, sure), passed
        passed.append(Passed(route, why))
        sure = sure and found is False
    return None, passed


def matches(match: Json, request: Request) -> tuple[Known, str]:
    """Does it, and what speaks against it."""
    asked: list[tuple[Known, str]] = [(matchers.path(match, request), f"the path is not {_path(match)}")]
    asked += [(matchers.header(h, request), _header(h, request)) for h in match.get("headers", ())]
    asked += [(matchers.query(q, request), f"query parameter {q['name']} is not as asked for") for q in match.get("query_parameters", ())]
    asked += [(matchers.metadata(m, request), "the token's claims decide") for m in match.get("dynamic_metadata", ())]
    if "runtime_fraction" in match:
        asked.append((None, "it takes a random share"))
    if "grpc" in match:
        asked.append((request.headers.get("content-type", "").startswith("application/grpc"), "the request is not gRPC"))
    known = all_of(value for value, _ in asked)
    reasons = [why for value, why in asked if value is False] or [why for value, why in asked if value is None]
    return known, "; ".join(dict.fromkeys(reasons))


def _path(match: Json) -> str:
    for key, words in (("prefix", "{}*"), ("path", "{}"), ("path_separated_prefix", "{} or below")):
        if key in match:
            return words.format(match[key])
    return f"as {match.get('safe_regex', {}).get('regex', 'asked for')}"


def _header(matcher: Json, request: Request) -> str:
    name, value = matcher["name"], request.header(matcher["name"])
    word = {":method": "the method", ":authority": "the host", ":scheme": "the scheme"}.get(name, f"header {name}")
    if value is None:
        return f"{word} is missing"
    return f"{word} is {value!r}"
