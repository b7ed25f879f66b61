"""The list of policies, beginning a new one, and the editor's conversation: check as one types, preview as a diff, save."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may
from meshconsole.configstore import store
from meshconsole.configstore.body import to_yaml
from meshconsole.core import policies as door
from meshconsole.core.resources.comments import has_comments
from meshconsole.core.resources.messages import Invalid, Key, Level, Message
from meshconsole.topology import strictness

from .. import diffs, examples, kinds, mesh, whatif
from ..scope import Scope


@login_required
@require_GET
def policies(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    wanted = mesh.chosen(request.user, scope.namespace)
    rows = [r for r in store.list_() if mesh.inside(r.namespace, wanted) and may(request.user, Verb.GET, r.kind, r.namespace)]
    counts = Counter(r.kind for r in rows)
    kind = request.GET.get("kind", "")
    authors = {r.number: r for r in store.revisions(200)}
    shown = [
        {
            "row": r,
            "kind": kinds.of(r.group, r.kind),
            "summary": kinds.summary(r.kind, r.body.get("spec") or {}),
            "revision": authors.get(r.resource_version),
        }
        for r in rows
        if not kind or r.kind == kind
    ]
    return render(
        request,
        "policies/list.html",
        {
            "policies": shown,
            "counts": [(kinds.Kind.named(k), n) for k, n in sorted(counts.items())],
            "total": len(rows),
            "kind": kind,
            "may_write": may(request.user, Verb.CREATE, mesh.ANY_KIND, scope.namespace or None),
        },
    )


BLANK = "apiVersion: networking.istio.io/v1\nkind: \nmetadata:\n  name: \n  namespace: default\nspec:\n  \n"
GROUPS = (
    ("Traffic", ("VirtualService",)),
    ("Resilience", ("DestinationRule",)),
    ("Security", ("PeerAuthentication", "AuthorizationPolicy")),
    ("Edges of the mesh", ("Gateway", "ServiceEntry", "WorkloadGroup", "Sidecar")),
    ("Reliability", ("AlertRule", "ServiceLevelObjective", "NotificationChannel")),
)


@login_required
@require_GET
def new(request: HttpRequest) -> HttpResponse:
    """Choose a beginning; then the editor with it."""
    scope = Scope.of(request)
    slug, kind = request.GET.get("from", ""), request.GET.get("kind", "")
    if not slug and not kind:
        groups = [(title, [(kinds.Kind.named(e.kind), e) for e in examples.all_() if e.kind in of]) for title, of in GROUPS]
        known = {e.kind for e in examples.all_()}
        return render(request, "policies/new.html", {"groups": groups, "others": [k for k in kinds.all_() if k.name not in known]})
    chosen = examples.by_slug(slug)
    named = next((k for k in kinds.all_() if k.name == kind), None)
    text = chosen.in_namespace(scope.namespace) if chosen else kinds.skeleton(named, scope.namespace) if named else BLANK
    return render(request, "policies/edit_new.html", {"text": text, "example": chosen, "kind": named})


@dataclass(frozen=True)
class Said:
    """A message as the editor's margin wants it."""

    level: str
    code: str
    text: str
    line: int
    path: str
    object: str

    @classmethod
    def of(cls, message: Message) -> "Said":
        return cls(str(message.level).lower(), message.code, message.text, message.line, message.path, str(message.key or ""))


def _text(request: HttpRequest) -> str:
    return request.POST.get("yaml", "").replace("\r\n", "\n")


def _try(request: HttpRequest, *, dry_run: bool, message: str = "") -> tuple[store.Applied | None, list[Message]]:
    """What the store makes of the text: all its changes or all its refusals."""
    text = _text(request)
    if len(text.encode()) > settings.MAX_UPLOAD_BYTES:
        return None, [Message(Level.ERROR, "MSH0413", f"is larger than {settings.MAX_UPLOAD_BYTES} bytes", line=1)]
    parsed: list[Any] = []
    warnings: list[Message] = []
    try:
        parsed, warnings = door.parse(text)
        warnings = [*warnings, *strictness.warnings(parsed)]
        applied = store.apply(parsed, author=Author.of(request), message=message, dry_run=dry_run, messages=warnings)
    except Invalid as refused:  # Forbidden, Conflict and Missing are its kin where the store says so
        return None, _placed(refused.messages, text)
    except store.Refused as refused:
        return None, _placed(refused.messages, text)
    return applied, _placed(applied.messages, text)


def _placed(found: list[Message], text: str) -> list[Message]:
    """Messages about whole objects come without a line: they stand at the object's first line."""
    starts = kinds.document_lines(text)
    return [m if m.line else Message(m.level, m.code, m.text, m.key, m.path, kinds.line_of(starts, m), m.document) for m in found]


@login_required
@require_POST
def check(request: HttpRequest) -> JsonResponse:
    applied, found = _try(request, dry_run=True)
    changes = [{"operation": c.operation, "object": str(c.key)} for c in applied.changes] if applied else []
    return JsonResponse({"valid": applied is not None, "messages": [asdict(Said.of(m)) for m in found], "changes": changes})


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The diff against what is stored, in a dialog with the button that makes it so."""
    applied, found = _try(request, dry_run=True)
    changes = [
        {"change": c, "kind": kinds.of(c.key.group, c.key.kind), "diff": diffs.diff(to_yaml(c.before), to_yaml(c.after))}
        for c in (applied.changes if applied else [])
    ]
    return render(
        request,
        "policies/preview.html",
        {
            "applied": applied,
            "found": [Said.of(m) for m in found],
            "changes": changes,
            "yaml": _text(request),
            "comments": bool(applied) and has_comments(_text(request)),
            "whatif": whatif.look(applied.changes, mesh.seen_list(request.user)) if applied and applied.changes else None,
        },
    )


@login_required
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    applied, found = _try(request, dry_run=False, message=request.POST.get("message", "").strip())
    if applied is None:
        return render(
            request, "policies/preview.html", {"applied": None, "found": [Said.of(m) for m in found], "changes": [], "yaml": _text(request)}
        )
    if applied.revision is None:
        flash.info(request, "Nothing differs from what is stored.")
        target = request.POST.get("back") or reverse("policies")
    else:
        flash.success(request, f"Saved as revision {applied.revision}.")
        target = f"{_address(applied.changes[0].key)}?saved={applied.revision}"
    response = HttpResponse(status=204)
    response["HX-Redirect"] = target
    return response


def _address(key: Key) -> str:
    return reverse("policy", args=[kinds.of(key.group, key.kind).plural, key.namespace, key.name])
