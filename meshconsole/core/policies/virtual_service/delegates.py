"""Delegation: a root VirtualService hands a part of its requests to another one, which has neither hosts nor gateways (one level, as in Istio)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from meshconsole.core.mesh.selection import visible
from meshconsole.core.resources.common import StringMatch

from .routes import Place, Rule, rules
from .schema import HttpMatch, HttpRoute

if TYPE_CHECKING:
    from . import VirtualService

_FILLED = ("rewrite", "timeout", "retries", "fault", "mirror", "mirror_percentage", "mirror_percent", "cors_policy", "headers")
"""What the root's rule gives to a delegate's rule that does not say it."""
_CONDITIONS = ("uri", "scheme", "method", "authority")
_NAMED = ("headers", "without_headers", "query_params", "source_labels")


def resolved(root: "VirtualService", place: Place) -> Iterator[Rule]:
    """The root's rules, each delegating one replaced by its delegate's. A delegate that is not there, or not exported to the root's
    namespace, leaves nothing."""
    for rule in rules(root.spec.http, place):
        if rule.http.delegate is None:
            yield rule
            continue
        delegate = _delegate(root, rule.http.delegate.name, rule.http.delegate.namespace or root.metadata.namespace, place)
        if delegate is None:
            continue
        own = replace(place, namespace=delegate.metadata.namespace, origin=delegate.origin())
        for each in rules(delegate.spec.http, own):
            merged = merge(rule.http, each.http)
            if merged is not None:
                yield replace(each, http=merged)


def _delegate(root: "VirtualService", name: str, namespace: str, place: Place) -> "VirtualService | None":
    for policy in place.view.policies(type(root), namespace):
        if policy.metadata.name == name and not policy.spec.hosts:
            assert isinstance(policy, type(root))
            return policy if _seen(policy, root, place) else None
    return None


def _seen(policy: "VirtualService", root: "VirtualService", place: Place) -> bool:
    default = policy.exported_by_default(place.view.mesh)
    return visible(policy.spec.export_to, policy.metadata.namespace, root.metadata.namespace, default=default)


def merge(root: HttpRoute, own: HttpRoute) -> HttpRoute | None:
    """The delegate's rule, narrowed and filled by the root's; None where it asks for more than the root has handed over."""
    matches = _matches(root.match, own.match)
    if matches is None:
        return None
    update: dict[str, object] = {name: getattr(root, name) for name in _FILLED if getattr(own, name) is None}
    update["name"] = "-".join(filter(None, (root.name, own.name)))
    update["match"] = matches
    return own.model_copy(update=update)


def _matches(root: list[HttpMatch], own: list[HttpMatch]) -> list[HttpMatch] | None:
    """Every match of the delegate must lie within one of the root's at least (Istio: mergeHTTPMatchRequests)."""
    if not root or not own:
        return own or root
    merged: list[HttpMatch] = []
    for each in own:
        within = [_both(outer, each) for outer in root if _lies_within(outer, each)]
        if not within:
            return None
        merged += within
    return merged


def _lies_within(outer: HttpMatch, own: HttpMatch) -> bool:
    if not all(_narrower(getattr(outer, name), getattr(own, name)) for name in _CONDITIONS):
        return False
    for name in ("headers", "without_headers", "query_params"):
        wide: Mapping[str, StringMatch] = getattr(outer, name)
        narrow: Mapping[str, StringMatch] = getattr(own, name)
        if not all(_narrower(wide.get(key), value) for key, value in narrow.items()):
            return False
    if any(own.source_labels.get(key, value) != value for key, value in outer.source_labels.items()):
        return False
    if outer.source_namespace and own.source_namespace and outer.source_namespace != own.source_namespace:
        return False
    if outer.port and own.port and outer.port != own.port:
        return False
    return outer.ignore_uri_case == own.ignore_uri_case


def _narrower(outer: StringMatch | None, own: StringMatch | None) -> bool:
    """Is every value that `own` takes one that `outer` takes? Where one is not said, the other holds. Regular expressions are not compared."""
    if outer is None or own is None:
        return True
    if outer.exact is not None:
        return own.exact == outer.exact
    value = own.exact if own.exact is not None else own.prefix
    return outer.prefix is not None and value is not None and value.startswith(outer.prefix)


def _both(outer: HttpMatch, own: HttpMatch) -> HttpMatch:
    update: dict[str, object] = {name: getattr(outer, name) for name in _CONDITIONS if getattr(own, name) is None}
    update |= {name: {**getattr(outer, name), **getattr(own, name)} for name in _NAMED}
    update["port"] = own.port or outer.port
    update["source_namespace"] = own.source_namespace or outer.source_namespace
    update["gateways"] = own.gateways or outer.gateways
    update["name"] = "-".join(filter(None, (outer.name, own.name)))
    return own.model_copy(update=update)
