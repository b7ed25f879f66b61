"""A request's body: how much of it is taken, and how it becomes resources. The door for what users send by REST."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http.request import UnreadablePostError
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request

from meshconsole.configstore.refusals import Refused
from meshconsole.core import policies
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.catalogue import SCHEMA_ERROR
from meshconsole.core.resources.messages import Invalid, Level, Message
from meshconsole.core.resources.placing import placed


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {settings.MAX_UPLOAD_BYTES} bytes (MAX_UPLOAD_BYTES). Send it in parts.")


def raw(request: Request) -> bytes:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ParseError("Content-Length is not a number")
    if length > settings.MAX_UPLOAD_BYTES:
        raise TooLarge()
    try:
        body = request._request.body
    except RequestDataTooBig:
        raise TooLarge()
    except UnreadablePostError:
        raise ParseError("The connection broke while the body was read")
    if len(body) > settings.MAX_UPLOAD_BYTES:
        raise TooLarge()
    return body


def is_json(request: Request) -> bool:
    return request.content_type.split(";")[0].strip().lower().endswith("json")


def data(request: Request) -> Any:
    """The body as JSON; an empty one is {}."""
    body = raw(request)
    if not body.strip():
        return {}
    return parse_json(body)


def parse_json(body: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(k for i, (k, _) in enumerate(pairs) if k in dict(pairs[:i]))
            raise ParseError(f"The key {twice!r} is there twice in one object")
        return found

    def no_constant(name: str) -> None:
        raise ParseError(f"{name} is not JSON")

    try:
        return json.loads(body, object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError:
        raise ParseError("This JSON is nested too deeply")
    except ValueError as e:
        raise ParseError(f"This is not JSON: {e}")


def mapping(request: Request) -> dict[str, Any]:
    found = data(request)
    if not isinstance(found, dict):
        raise ParseError("Send a JSON object")
    return found


def resources(request: Request) -> tuple[list[Policy], list[Message]]:
    """The resources in a body of YAML (any number of documents) or JSON (one, a list, or a Kubernetes List). Raises Invalid with every error."""
    found, said = readable(request)
    if any(m.level == Level.ERROR for m in said):
        raise Invalid(said)
    return found, said


def readable(request: Request) -> tuple[list[Policy], list[Message]]:
    """Those that can be taken, and what there is to say of all. Raises Invalid where the body is no YAML."""
    body = raw(request)
    if not is_json(request):
        return policies.readable(body)
    sent = parse_json(body)
    items = sent["items"] if isinstance(sent, dict) and isinstance(sent.get("items"), list) else sent if isinstance(sent, list) else [sent]
    found: list[Policy] = []
    said: list[Message] = []
    for i, item in enumerate(items):
        try:
            policy, messages = one(item)
            found.append(policy)
        except Invalid as e:
            messages = e.messages
        said += [replace(m, document=i) for m in messages]
    return found, said


@contextmanager
def placing(request: Request) -> Iterator[Callable[[Iterable[Message]], list[Message]]]:
    """What is said later of the resources in a YAML body, by the store or by analysis, with its lines; refusals too."""
    text = b"" if is_json(request) else raw(request)

    def lines(messages: Iterable[Message]) -> list[Message]:
        return placed(text, messages) if text else list(messages)

    try:
        yield lines
    except (Invalid, Refused) as e:
        e.messages = lines(e.messages)
        raise


def one(item: Any) -> tuple[Policy, list[Message]]:
    if not isinstance(item, dict):
        raise Invalid([Message(Level.ERROR, SCHEMA_ERROR, "a resource is an object with apiVersion, kind, metadata and spec")])
    return policies.parse_object(item)
