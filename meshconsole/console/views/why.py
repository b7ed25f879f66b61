"""'Why?': where a request would go, and by which policies. A form, and its answer."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.core import explaining
from meshconsole.xds import explaining as asking

from .. import mesh

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@login_required
@require_GET
def why(request: HttpRequest) -> HttpResponse:
    given = request.GET
    seen = mesh.seen(request.user)
    caller, host = given.get("from", "").strip()[:300], given.get("to", "").strip()[:300]
    path, method = given.get("path", "").strip()[:2000] or "/", given.get("method", "GET").upper()[:20]
    headers, wrong = _headers(given.get("headers", "")[:8000])
    found: explaining.Explanation | None = None
    if caller and host:
        if not mesh.inside(caller.partition("/")[0], seen):
            wrong.append(f"There is no workload {caller}.")
        else:
            try:
                found = asking.why(caller, explaining.Request(host, path if path.startswith("/") else f"/{path}", method, headers))
            except asking.Unknown as e:
                wrong.append(str(e))
    query = {"from": caller, "to": host, "path": path, "method": method}
    said: dict[str, Any] = {
        "found": found,
        "asked": given,
        "caller": caller,
        "host": host,
        "path": path,
        "method": method,
        "methods": METHODS,
        "wrong": wrong,
        "seen": seen,
        "workloads": [w.id for w in mesh.workloads(request.user)],
        "command": f"meshconsole explain-request {caller or 'NAMESPACE/NAME'} {host or 'HOST'}{path}",
        "api_path": f"GET /api/v1/explain?{urlencode(query)}",
    }
    return render(request, "why/page.html", said)


def _headers(text: str) -> tuple[dict[str, str], list[str]]:
    found, wrong = {}, []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found[name.strip().lower()] = value.strip()
        else:
            wrong.append(f"{line!r} is not `name: value`, and was left out.")
    return found, wrong
