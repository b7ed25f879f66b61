"""What the pages read of the mesh, cut down to what a person may see. Thin: the rooms below answer, this asks with the right namespaces."""

from collections.abc import Iterable
from typing import Any

from meshconsole.accounts.permissions import Verb, visible
from meshconsole.configstore import store
from meshconsole.core.mesh.model import Workload
from meshconsole.discovery import registry

ANY_KIND = "VirtualService"
"""A kind that is nothing special: what a viewer may see of namespaces at large."""


def seen(user: Any) -> set[str] | None:
    """The namespaces that `user` may look at; None is all."""
    return visible(user, Verb.GET, ANY_KIND)


def seen_list(user: Any) -> list[str] | None:
    allowed = seen(user)
    return None if allowed is None else sorted(allowed)


def chosen(user: Any, namespace: str) -> list[str] | None:
    """For queries: the namespaces picked in the masthead among those that one may see; None is all."""
    allowed = seen(user)
    if namespace:
        return [namespace] if allowed is None or namespace in allowed else []
    return None if allowed is None else sorted(allowed)


def inside(namespace: str, namespaces: Iterable[str] | None) -> bool:
    return namespaces is None or namespace in namespaces


def namespaces(user: Any) -> list[str]:
    """Where anything is: workloads or policies."""
    found = {w.namespace for w in registry.workloads()} | {p.metadata.namespace for p in store.resources()}
    allowed = seen(user)
    return sorted(found if allowed is None else found & allowed)


def workloads(user: Any, namespace: str = "") -> list[Workload]:
    wanted = chosen(user, namespace)
    return sorted((w for w in registry.workloads() if inside(w.namespace, wanted)), key=lambda w: (w.namespace, w.name))
