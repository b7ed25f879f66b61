"""The authority itself, for admins of the whole mesh: rotations, and one that comes from outside."""

from collections.abc import Callable

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from meshconsole.accounts.author import Author
from meshconsole.ca import bringing, keystore, queries, transitions
from meshconsole.xds import rotating

from .certificates import manages

ONLY = "Only an admin of the whole mesh changes what signs for all of it."


@login_required
@require_POST
def rotate(request: HttpRequest, what: str) -> HttpResponse:
    if not manages(request):
        raise PermissionDenied(ONLY)
    author, now = Author.of(request), timezone.now()
    steps: dict[str, tuple[Callable[[], object], str]] = {
        "root": (lambda: transitions.rotate_root(author, now), "A new root is on its way to every proxy. It signs when all believe it."),
        "intermediate": (lambda: transitions.rotate_intermediate(author, now), "A new intermediate was made."),
        "force": (lambda: rotating.force(author, now), "The next step was taken without waiting."),
        "cancel": (lambda: transitions.cancel(author, now), "The rotation is called off."),
    }
    if what not in steps:
        raise Http404
    step, said = steps[what]
    try:
        step()
        flash.success(request, said)
    except (transitions.Refused, keystore.Locked) as e:
        flash.error(request, str(e))
    return redirect("certificates")


@sensitive_post_parameters("key")
@login_required
@require_http_methods(["GET", "POST"])
def own(request: HttpRequest) -> HttpResponse:
    """Bring an authority: chain and key, or an offline root."""
    if not manages(request):
        raise PermissionDenied(ONLY)
    reasons: list[str] = []
    what = request.POST.get("what", "")
    if request.method == "POST":
        author, now, chain = Author.of(request), timezone.now(), request.POST.get("chain", "")
        try:
            if what == "csr":
                bringing.ask(author, now)
                return redirect("own-authority")
            if what == "adopt":
                bringing.adopt(chain, author, now)
            else:
                bringing.bring(chain, request.POST.get("key", ""), author, now)
            flash.success(request, "It is on its way to every proxy. It signs when all believe it.")
            return redirect("certificates")
        except bringing.Unfit as e:
            reasons = e.reasons
        except (transitions.Refused, keystore.Locked) as e:
            reasons = [str(e)]
    said = {"requested": queries.requested(), "reasons": reasons, "what": what, "chain": request.POST.get("chain", "")}
    return render(request, "certificates/own.html", said, status=422 if reasons else 200)
