"""One policy: edit it, see where it acts, its history; roll it back, delete it."""

from urllib.parse import urlencode

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may
from meshconsole.configstore import mesh as installed
from meshconsole.configstore import store
from meshconsole.configstore.body import to_yaml
from meshconsole.core.resources.messages import Invalid, Key
from meshconsole.core.resources.yaml import load_documents

from .. import decided, diffs, kinds, mesh, whatif
from ..programmed import Programmed

TABS = ("edit", "history")


def _key(request: HttpRequest, plural: str, namespace: str, name: str) -> tuple[kinds.Kind, Key]:
    kind = kinds.by_plural(plural)
    if kind is None or not may(request.user, Verb.GET, kind.name, namespace):
        raise Http404
    return kind, Key(kind.group, kind.name, namespace, name)


@login_required
@require_GET
def policy(request: HttpRequest, plural: str, namespace: str, name: str) -> HttpResponse:
    kind, key = _key(request, plural, namespace, name)
    row = store.get(key)
    history = store.history(key)
    if row is None and not history:
        raise Http404(f"{key} does not exist")
    tab = request.GET.get("tab", "edit" if row else "history")
    saved = request.GET.get("saved", "")
    text, at = to_yaml(row.body) if row else "", request.GET.get("at", "")[:300]
    changes = []
    for change in history:
        changes.append({"change": change, "diff": diffs.diff(to_yaml(change.before), to_yaml(change.after))})
    return render(
        request,
        "policies/detail.html",
        {
            "kind": kind,
            "key": key,
            "row": row,
            "tab": tab if tab in TABS else "edit",
            "text": text,
            "at": at,
            "line": load_documents(text)[0].lines.of(at) if at and text else 0,
            "summary": kinds.summary(kind.name, row.body.get("spec") or {}) if row else "",
            "history": changes,
            "may_write": may(request.user, Verb.UPDATE, kind.name, namespace),
            "programmed": Programmed.of(int(saved) if saved.isdigit() else row.resource_version if row else 0),
            "just_saved": saved.isdigit(),
            "undoable": _undoable(request, int(saved)) if saved.isdigit() and row and row.resource_version == int(saved) else 0,
            "on_the_graph": _on_the_graph(key),
            "denials": decided.of(kind.name, key, row.body if row else {}),
            "api_path": kind.api_path(namespace, name),
        },
    )


@login_required
@require_http_methods(["GET", "POST"])
def rollback(request: HttpRequest, plural: str, namespace: str, name: str, revision: int) -> HttpResponse:
    """GET: what it would change, in a dialog. POST: do it."""
    kind, key = _key(request, plural, namespace, name)
    author = Author.of(request)
    try:
        applied = store.rollback(
            key, revision, author=author, message=request.POST.get("message", "").strip(), dry_run=request.method == "GET"
        )
    except (Invalid, store.Refused) as refused:
        return _refused(request, refused, kind, key)
    if request.method == "GET":
        shown = [{"change": c, "diff": diffs.diff(to_yaml(c.before), to_yaml(c.after))} for c in applied.changes]
        return render(
            request,
            "policies/rollback.html",
            {"kind": kind, "key": key, "revision": revision, "changes": shown, "target": request.path, "whatif": _whatif(request, applied)},
        )
    here = reverse("policy", args=[kind.plural, namespace, name])
    if applied.revision is None:
        flash.info(request, f"It is already as it was after revision {revision}.")
        return redirect(here)
    flash.success(request, f"Rolled back to revision {revision}, as revision {applied.revision}.")
    return redirect(f"{here}?saved={applied.revision}")


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, plural: str, namespace: str, name: str) -> HttpResponse:
    kind, key = _key(request, plural, namespace, name)
    dry_run = request.method == "GET"
    try:
        applied = store.delete([key], author=Author.of(request), message=request.POST.get("message", "").strip(), dry_run=dry_run)
    except (Invalid, store.Refused) as refused:
        return _refused(request, refused, kind, key)
    if dry_run:
        said = {"kind": kind, "key": key, "target": request.path, "found": applied.messages, "whatif": _whatif(request, applied)}
        return render(request, "policies/delete.html", said)
    flash.success(request, f"Deleted {kind.name} {namespace}/{name} in revision {applied.revision}. Its history can bring it back.")
    return redirect("policies")


def _undoable(request: HttpRequest, number: int) -> int:
    """The revision that was just saved, where one may undo all of it; else 0."""
    revision = store.revision(number)
    if revision is None:
        return 0
    verbs = {"create": Verb.DELETE, "delete": Verb.CREATE}
    may_all = all(may(request.user, verbs.get(str(c.operation), Verb.UPDATE), c.kind, c.namespace) for c in revision.changes.all())
    return number if may_all else 0


def _on_the_graph(key: Key) -> str:
    """The topology with what the policy acts on found."""
    asked = {"find": f"policy = {key.kind}/{key.namespace}/{key.name}"}
    if key.namespace != installed.config().root_namespace:  # a policy there acts everywhere
        asked = {"namespace": key.namespace, **asked}
    return f"{reverse('topology')}?{urlencode(asked)}"


def _whatif(request: HttpRequest, applied: store.Applied) -> whatif.WhatIf | None:
    return whatif.look(applied.changes, mesh.seen_list(request.user)) if applied.changes else None


def _refused(request: HttpRequest, refused: Exception, kind: kinds.Kind, key: Key) -> HttpResponse:
    said = "; ".join(m.text for m in getattr(refused, "messages", [])) or str(refused)
    if request.method == "GET":
        return render(request, "fragments/refused.html", {"title": f"{key.name} cannot be changed", "said": said})
    flash.error(request, said)
    return redirect(reverse("policy", args=[kind.plural, key.namespace, key.name]))
