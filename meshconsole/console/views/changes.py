"""Every change of the configuration: who, when, why and what; and the way back."""

from itertools import groupby
from typing import Any

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may
from meshconsole.configstore import store
from meshconsole.configstore.body import to_yaml
from meshconsole.core.resources.messages import Invalid

from .. import diffs, kinds, mesh, whatif
from ..programmed import Programmed
from ..scope import Scope

PAGE = 30


def visible_changes(request: HttpRequest, revision: Any) -> list[Any]:
    return [c for c in revision.changes.all() if may(request.user, Verb.GET, c.kind, c.namespace)]


def shown(request: HttpRequest, revisions: list[Any], namespace: str = "") -> list[dict[str, Any]]:
    """Revisions with those of their changes that one may see; without any, the revision is left out."""
    rows = []
    for revision in revisions:
        changes = [c for c in visible_changes(request, revision) if not namespace or c.namespace == namespace]
        if changes:
            rows.append({"revision": revision, "changes": [{"change": c, "kind": kinds.of(c.group, c.kind)} for c in changes]})
    return rows


@login_required
@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    before = request.GET.get("before", "")
    revisions = store.revisions(PAGE, int(before) if before.isdigit() else None)
    days = [
        (day, list(of_day))
        for day, of_day in groupby(shown(request, revisions, scope.namespace), key=lambda row: row["revision"].created.date())
    ]
    older = revisions[-1].number if len(revisions) == PAGE else None
    return render(request, "changes/list.html", {"days": days, "older": older, "newest": store.latest(), "paged": bool(before)})


@login_required
@require_GET
def change(request: HttpRequest, number: int) -> HttpResponse:
    revision = store.revision(number)
    if revision is None:
        raise Http404(f"There is no revision {number}.")
    mine = visible_changes(request, revision)
    if not mine:
        raise Http404(f"There is no revision {number}.")
    rows = [
        {
            "change": c,
            "kind": kinds.of(c.group, c.kind),
            "diff": diffs.diff(to_yaml(c.before), to_yaml(c.after)),
            "exists": store.get(c.key) is not None,
        }
        for c in mine
    ]
    return render(
        request,
        "changes/detail.html",
        {
            "revision": revision,
            "changes": rows,
            "programmed": Programmed.of(number),
            "may_write": all(may(request.user, Verb.UPDATE, c.kind, c.namespace) for c in mine),
            "newest": store.latest(),
        },
    )


@login_required
@require_http_methods(["GET", "POST"])
def rollback(request: HttpRequest, number: int) -> HttpResponse:
    """Undo a whole revision. GET: what that would change."""
    try:
        applied = store.rollback_revision(
            number, author=Author.of(request), message=request.POST.get("message", "").strip(), dry_run=request.method == "GET"
        )
    except (Invalid, store.Refused) as refused:
        said = "; ".join(f"{m.key}: {m.text}" if m.key else m.text for m in getattr(refused, "messages", [])) or str(refused)
        if request.method == "GET":
            return render(request, "fragments/refused.html", {"title": f"Revision {number} cannot be undone as a whole", "said": said})
        flash.error(request, said)
        return redirect("change", number)
    if request.method == "GET":
        rows = [
            {"change": c, "kind": kinds.of(c.key.group, c.key.kind), "diff": diffs.diff(to_yaml(c.before), to_yaml(c.after))}
            for c in applied.changes
        ]
        return render(
            request,
            "changes/rollback.html",
            {
                "number": number,
                "changes": rows,
                "target": request.path,
                "whatif": whatif.look(applied.changes, mesh.seen_list(request.user)) if rows else None,
            },
        )
    if applied.revision is None:
        flash.info(request, f"Revision {number} is undone already.")
        return redirect("change", number)
    flash.success(request, f"Revision {number} is undone by revision {applied.revision}.")
    return redirect(f"{reverse('change', args=[applied.revision])}?saved=1")


@login_required
@require_GET
def programmed(request: HttpRequest, number: int) -> HttpResponse:
    """The strip alone; it asks again until nothing is pending."""
    revision = store.revision(number)
    if revision is None or not visible_changes(request, revision):
        raise Http404(f"There is no revision {number}.")
    return render(request, "fragments/programmed.html", {"programmed": Programmed.of(number), "poll": True})
