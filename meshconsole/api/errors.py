"""Every refusal as JSON: messages for /api/v1, Kubernetes' Status objects for Kubernetes' paths."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from meshconsole.configstore.refusals import Conflict, Forbidden, Missing, Refused
from meshconsole.core.resources.messages import Invalid, Message

from .plain import message as as_json

log = logging.getLogger(__name__)

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}
STATUS: dict[type[Exception], int] = {Invalid: 422, Forbidden: 403, Conflict: 409, Missing: 404, Refused: 400}


def handler(exc: Exception, context: dict[str, Any]) -> Response:
    request = context["request"]
    set_rollback()
    headers: dict[str, str] = {}
    messages: list[Message] = []
    if isinstance(exc, Invalid | Refused):
        status, messages = next(s for t, s in STATUS.items() if isinstance(exc, t)), exc.messages
        text = "\n".join(map(str, messages))
    elif isinstance(exc, Http404):
        status, text = 404, str(exc) or "There is nothing here."
    elif isinstance(exc, PermissionDenied):
        status, text = 403, str(exc) or "You may not do this."
    elif isinstance(exc, RequestDataTooBig):
        status, text = 413, "The body is too large."
    elif isinstance(exc, exceptions.APIException):
        status, text = exc.status_code, _text(exc.detail)
        if authenticate := getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = authenticate
        if wait := getattr(exc, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
    else:
        log.exception("%s %s failed", request.method, request.path)
        status, text = 500, "The console failed to answer; its log says why."
    return Response(body(request, status, text, messages), status=status, headers=headers)


def body(request: HttpRequest | Any, status: int, text: str, messages: list[Message] | None = None) -> dict[str, Any]:
    messages = messages or []
    if is_kubernetes(request.path):
        return kubernetes_status(status, text, messages)
    return {"error": text, "messages": [as_json(m) for m in messages]}


def is_kubernetes(path: str) -> bool:
    return path.startswith(("/apis", "/openapi", "/version", "/api/v1/namespaces")) or path.rstrip("/") in ("/api", "/api/v1")


def kubernetes_status(status: int, text: str, messages: list[Message]) -> dict[str, Any]:
    reason = REASONS.get(status, "Unknown")
    if status == 409 and any(m.path == "metadata.name" for m in messages):
        reason = "AlreadyExists"
    details: dict[str, Any] = {}
    keyed = [m for m in messages if m.key]
    if keyed and keyed[0].key:
        details = {"name": keyed[0].key.name, "group": keyed[0].key.group, "kind": keyed[0].key.kind}
    if messages:
        details["causes"] = [{"reason": m.code, "message": f"{m.level}: {m.text}", "field": m.path} for m in messages]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": text,
        "reason": reason,
        "details": details,
        "code": status,
    }


def _text(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{k}: {_text(v)}" for k, v in detail.items())
    if isinstance(detail, list):
        return "; ".join(map(_text, detail))
    return str(detail)
