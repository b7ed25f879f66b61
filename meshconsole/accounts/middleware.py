"""Headers that every answer of the console carries: a content security policy without inline scripts, and friends."""

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

CYTOSCAPE_STYLE = "'sha256-pgvDUBa4IjFA2yuSJ2cqcyxmNYJMborsd0ORcRv9vw8='"
"""`.__________cytoscape_container { position: relative; }`, the one style element that Cytoscape adds to a page."""


class SecurityHeaders:
    """
    `request.csp_nonce` is for the one thing that must add a style sheet by script, CodeMirror (`EditorView.cspNonce`).
    Scripts come from our own files only, and never from the page. Outermost, so that refusals of other middlewares have the headers too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        nonce = request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]
        response = self.get_response(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", policy(nonce))
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not response.has_header("Cache-Control"):
            # What the console says is about now, and for who asked; tokens are among it.
            headers["Cache-Control"] = "no-store" if request.path.startswith("/api") else "private, no-cache"
        return response


def policy(nonce: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}' {CYTOSCAPE_STYLE}",
            "style-src-attr 'unsafe-inline'",  # positions of graph nodes and editor lines; attributes cannot load anything
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",  # includes ws: and wss: of the same host (CSP 3)
            "manifest-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
