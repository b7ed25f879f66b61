"""Proxies: who is connected, what each has taken, what it refused and why; and the Envoy configuration that it should run."""

import json
from collections import Counter
from typing import Any

import yaml
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.ca import queries as ca
from meshconsole.xds import configdump, held, status

from .. import diffs, kinds, mesh
from ..scope import Scope
from ..xdstypes import TYPES, order

TABS = ("sync", "config", "diff")
COLUMNS = ("lds", "rds", "vhds", "cds", "eds")


def word(proxy: status.ProxyStatus) -> str:
    return proxy.state if proxy.connected or proxy.state == "NEVER_CONNECTED" else "disconnected"


@login_required
@require_GET
def proxies(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    found = status.proxies(namespaces=mesh.chosen(request.user, scope.namespace))
    chosen = request.GET.get("state", "")
    return render(
        request,
        "proxies/list.html",
        {
            "proxies": [p for p in found if not chosen or word(p) == chosen],
            "total": len(found),
            "counts": sorted(Counter(map(word, found)).items()),
            "state": chosen,
            "columns": COLUMNS,
        },
    )


@login_required
@require_GET
def proxy(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    if not mesh.inside(namespace, mesh.chosen(request.user, namespace)):
        raise Http404
    found = status.proxy(f"{namespace}/{name}")
    if found is None:
        raise Http404(f"There is no proxy {namespace}/{name}.")
    tab = request.GET.get("tab", "")
    said: dict[str, Any] = {"proxy": found, "tab": tab if tab in TABS else "sync", "word": word(found)}
    if tab == "config":
        said |= _configuration(request, found.id)
    elif tab == "diff":
        said |= _differences(found.id)
    else:
        said |= {
            "types": sorted(found.types.items(), key=lambda item: order(item[0])),
            "refused": [_policy(p) for p in found.policies],
            "certificate": next(iter(ca.certificates(proxy_id=found.id, current=True)), None),
        }
    return render(request, "proxies/detail.html", said)


def _differences(id: str) -> dict[str, Any]:
    lacking = held.ask(id)
    shown = [{"what": d, "diff": diffs.diff(_yaml(d.acknowledged), _yaml(d.desired))} for d in lacking or ()]
    return {"asked": lacking is not None, "differences": shown}


def _yaml(body: dict[str, Any] | None) -> str:
    return yaml.safe_dump(body, sort_keys=True, allow_unicode=True) if body else ""


def _policy(said: str) -> dict[str, Any]:
    """`VirtualService default/reviews` as a link's parts."""
    kind, _, rest = said.partition(" ")
    namespace, _, name = rest.partition("/")
    return {"kind": kinds.Kind.named(kind), "namespace": namespace, "name": name, "known": bool(name)}


def _configuration(request: HttpRequest, id: str) -> dict[str, Any]:
    dump = configdump.configdump(id) or {}
    types = sorted(((t, len(entries)) for t, entries in dump.items()), key=lambda item: order(item[0]))
    asked = request.GET.get("type", "")
    type_ = asked if asked in dump else types[0][0] if types else ""
    entries = dump.get(type_, [])
    one = next((e for e in entries if e["name"] == request.GET.get("resource")), entries[0] if entries else None)
    return {
        "types": types,
        "type": type_,
        "type_name": TYPES.get(type_, type_),
        "entries": entries,
        "one": one,
        "origins": [_policy(o) for o in one["origins"]] if one else [],
        "json": json.dumps(one["body"], indent=2, ensure_ascii=False) if one else "",
    }
