"""What Ctrl+K searches: pages, actions, and everything in the mesh by name."""

from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from meshconsole.accounts.permissions import Verb, may
from meshconsole.configstore import store
from meshconsole.discovery import registry
from meshconsole.xds import status

from .. import examples, kinds, mesh
from ..navigation import SETTINGS, sections


@login_required
@require_GET
def palette(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"entries": list(_entries(request))})


def _entries(request: HttpRequest) -> Iterator[dict[str, str]]:
    for item in [i for section in sections(request.user) for i in section.items] + [SETTINGS]:
        yield {"group": "Pages", "title": item.title, "icon": item.icon, "url": reverse(item.view), "where": f"g {item.key}"}
    wanted = mesh.seen(request.user)
    if may(request.user, Verb.CREATE, mesh.ANY_KIND, None):
        yield {"group": "Actions", "title": "New policy", "icon": "plus", "url": reverse("policy-new"), "where": ""}
        for e in examples.all_():
            yield {
                "group": "Actions",
                "title": e.title,
                "icon": e.icon,
                "url": f"{reverse('policy-new')}?from={e.slug}",
                "where": f"New {e.kind}",
            }
    for s in registry.services():
        if mesh.inside(s.namespace, wanted):
            yield {
                "group": "Services",
                "title": s.name,
                "icon": "globe",
                "url": reverse("service", args=[s.namespace, s.name]),
                "where": s.namespace,
            }
    for w in registry.workloads():
        if mesh.inside(w.namespace, wanted):
            yield {
                "group": "Workloads",
                "title": w.name,
                "icon": "box",
                "url": reverse("workload", args=[w.namespace, w.name]),
                "where": w.namespace,
            }
    for p in status.proxies():
        if mesh.inside(p.namespace, wanted):
            yield {
                "group": "Proxies",
                "title": p.name,
                "icon": "network",
                "url": reverse("proxy", args=[p.namespace, p.name]),
                "where": p.namespace,
            }
    for r in store.list_():
        if mesh.inside(r.namespace, wanted):
            kind = kinds.of(r.group, r.kind)
            yield {
                "group": "Policies",
                "title": r.name,
                "icon": kind.icon,
                "url": reverse("policy", args=[kind.plural, r.namespace, r.name]),
                "where": f"{r.kind} · {r.namespace}",
            }
