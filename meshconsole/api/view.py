"""The base of every REST view: it names its permissions, knows who asks, and never negotiates anything but JSON."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.openapi import AutoSchema
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from meshconsole.accounts.author import Author
from meshconsole.accounts.models import ApiToken, User
from meshconsole.accounts.permissions import may, visible


class Anyone:
    """A method's permission when it has none: what it says is no secret."""


class LoggedIn:
    """A method's permission when it only ever touches what is the asker's own."""


class PerResource:
    """A method's permission when the store asks it for each resource that is touched."""


Need = tuple[str, str] | type[Anyone] | type[LoggedIn] | type[PerResource]
"""(verb, kind), asked in the URL's namespace; where the URL has none: in any namespace, and the view filters or the store refuses."""


class Allowed(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        need = view.needs.get("GET" if request.method == "HEAD" else request.method)
        if need is Anyone or need is None:  # None: a method that the view does not have, answered by 405
            return True
        if not request.user.is_authenticated:
            return False
        if need in (LoggedIn, PerResource):
            return True
        verb, kind = need
        if may(who(request), verb, view.kind_asked(kind), view.kwargs.get("namespace")):
            return True
        where = f" in namespace {view.kwargs['namespace']}" if view.kwargs.get("namespace") else ""
        self.message = f"{request.user.get_username()} may not {verb} {view.kind_asked(kind)} resources{where}"
        return False


class JsonOnly(BaseContentNegotiation):
    """kubectl asks for tables and protobuf first; it understands JSON whatever it asked for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Operations(AutoSchema):
    """Names of operations for generated clients: `getProxies`, `postApply`."""

    def get_operation_id(self) -> str:
        everywhere = "Everywhere" if type(self.view).__name__ == "Many" and "{namespace}" not in self.path else ""
        core = "Secret" if self.path.startswith("/api/v1/") and "/secrets" in self.path else ""
        return f"{self.method.lower()}{core}{type(self.view).__name__}{everywhere}"


class View(APIView):
    needs: ClassVar[Mapping[str, Need]]
    permission_classes = [Allowed]
    content_negotiation_class = JsonOnly
    schema = Operations()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(cls, method) and method.upper() not in getattr(cls, "needs", {}):
                raise TypeError(f"{cls.__name__}.{method} does not name its permission")

    def kind_asked(self, kind: str) -> str:
        """`kind` of a need; views of many kinds replace it by the one in the URL."""
        return kind

    def author(self) -> Author:
        return Author.of(self.request)

    def can(self, verb: str, kind: str, namespace: str | None) -> bool:
        return may(who(self.request), verb, kind, namespace)

    def namespaces(self, kind: str, verb: str = "get") -> set[str] | None:
        """Where the asker may see this kind; None: everywhere."""
        return visible(who(self.request), verb, kind)

    def within(self, kind: str) -> list[str] | None:
        """The same, narrowed to the namespace that the query asks for."""
        seen, wanted = self.namespaces(kind), self.text("namespace")
        if not wanted:
            return None if seen is None else sorted(seen)
        return [wanted] if seen is None or wanted in seen else []

    def text(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int, low: int = 0, high: int = 1 << 62) -> int:
        given = self.request.query_params.get(name)
        if given in (None, ""):
            return default
        try:
            value = int(given)
        except ValueError:
            raise ParseError(f"{name}: {given!r} is not a whole number")
        if not low <= value <= high:
            raise ParseError(f"{name}: must be between {low} and {high}")
        return value

    def flag(self, name: str) -> bool:
        given = self.request.query_params.get(name, "").lower()
        if given in ("", "0", "false", "no"):
            return False
        if given in ("1", "true", "yes", "all", "server"):
            return True
        raise ParseError(f"{name}: {given!r} is neither true nor false")


def who(request: Request) -> User | ApiToken | Any:
    return request.auth if isinstance(request.auth, ApiToken) else request.user
