"""What every template may use: the scope, the navigation, the namespaces that one may see."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from . import elsewhere, mesh
from .navigation import SETTINGS, TIMED, sections
from .scope import RANGES, Scope


def console(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    match = request.resolver_match
    htmx = getattr(request, "htmx", None)
    fragment = bool(htmx and not htmx.boosted)
    said: dict[str, Any] = {
        "scope": Scope.of(request),
        "here": match.url_name if match else "",
        "base_template": "fragments/bare.html" if fragment else "base.html",
        "grafana_url": settings.GRAFANA_URL,
        "trust_domain": settings.TRUST_DOMAIN,
    }
    if not fragment:
        said |= {
            "nav_sections": sections(user),
            "settings_item": SETTINGS,
            "ranges": RANGES,
            "timed": TIMED,
            "namespaces": mesh.namespaces(user),
            "dashboard": elsewhere.dashboard(said["here"], match.kwargs if match else {}, said["scope"]),
        }
    return said
