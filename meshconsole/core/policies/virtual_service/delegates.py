"""Delegation: a root VirtualService hands a part of its paths to another one, which has neither hosts nor gateways (one level, as in Istio)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshconsole.core.envoy.draft import Route
from meshconsole.core.resources.common import StringMatch

from ..base import View
from .routes import Place, routes
from .schema import HttpMatch, HttpRoute, RouteDestination

if TYPE_CHECKING:
    from . import VirtualService

_FILLED = ("timeout", "retries", "cors_policy", "mirror_percentage")
"""What the root's rule gives a delegate's rule that does not say it."""


def resolved(root: "VirtualService", place: Place) -> Iterator[Route]:
    """The root's routes with each delegating rule replaced by its delegate's rules. A delegate that is not there leaves nothing."""
    merged: list[HttpRoute] = []
    for rule in root.spec.http:
        if rule.delegate is None:
            merged.append(rule)
            continue
        namespace = rule.delegate.namespace or root.metadata.namespace
        found = [p for p in place.view.policies(type(root), namespace) if p.metadata.name == rule.delegate.name and not p.spec.hosts]  # type: ignore[attr-defined]
        for delegate in found:
            merged += _merge(rule, delegate.spec.http, delegate.metadata.namespace, place.view)
    yield from routes(merged, place)


def _merge(root: HttpRoute, rules: list[HttpRoute], namespace: str, view: View) -> Iterator[HttpRoute]:
    for rule in rules:
        matches = _matches(root.match, rule.match)
        if matches is None:
            continue  # asks for more than the root has handed over: dropped, as in Istio
        update: dict[str, object] = {
            name: getattr(root, name) for name in _FILLED if getattr(rule, name) is None and getattr(root, name) is not None
        }
        if root.headers and not rule.headers:
            update["headers"] = root.headers
        update["name"] = "-".join(filter(None, (root.name, rule.name)))
        update["match"] = matches
        update["route"] = [_qualified(share, namespace, view) for share in rule.route]
        yield rule.model_copy(update=update)


def _qualified(share: RouteDestination, namespace: str, view: View) -> RouteDestination:
    """A delegate's short names are of its own namespace."""
    destination = share.destination.model_copy(update={"host": view.fqdn(share.destination.host, namespace)})
    return share.model_copy(update={"destination": destination})


def _matches(root: list[HttpMatch], own: list[HttpMatch]) -> list[HttpMatch] | None:
    """Each combination of a root's and a delegate's match where the delegate's is the narrower; None where there is none."""
    if not root:
        return own
    if not own:
        return root
    merged = [both for r in root for d in own if (both := _both(r, d)) is not None]
    return merged or None


def _both(root: HttpMatch, own: HttpMatch) -> HttpMatch | None:
    update: dict[str, object] = {}
    for name in ("uri", "scheme", "method", "authority"):
        outer, inner = getattr(root, name), getattr(own, name)
        if inner is None:
            update[name] = outer
        elif outer is not None and outer != inner and not _within(outer, inner):
            return None
    if root.port and own.port and root.port != own.port:
        return None
    update["port"] = own.port or root.port
    for name in ("headers", "without_headers", "query_params", "source_labels"):
        outer, inner = getattr(root, name), getattr(own, name)
        if any(key in inner and inner[key] != value for key, value in outer.items()):
            return None
        update[name] = {**outer, **inner}
    if root.source_namespace and own.source_namespace and root.source_namespace != own.source_namespace:
        return None
    update["source_namespace"] = own.source_namespace or root.source_namespace
    update["gateways"] = own.gateways or root.gateways
    update["ignore_uri_case"] = own.ignore_uri_case or root.ignore_uri_case
    update["name"] = "-".join(filter(None, (root.name, own.name)))
    return own.model_copy(update=update)


def _within(outer: StringMatch, inner: StringMatch) -> bool:
    """Is every value that `inner` takes one that `outer` takes? Regular expressions are not compared: only equal ones are."""
    if outer.prefix is None:
        return False
    value = inner.exact if inner.exact is not None else inner.prefix
    return value is not None and value.startswith(outer.prefix)
