"""Identity: certificates, join tokens, API tokens."""

from datetime import datetime, timedelta
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts import audit, tokens
from meshconsole.accounts.models import ApiToken, User
from meshconsole.accounts.permissions import Verb
from meshconsole.ca import queries
from meshconsole.ca import tokens as join
from meshconsole.configstore.refusals import Conflict, Forbidden, because

from .. import content
from ..plain import plain
from ..view import LoggedIn, View
from .mesh import seconds

OBJECT = OpenApiTypes.OBJECT


class Certificates(View):
    needs = {"GET": ("get", "Certificate")}

    @extend_schema(
        summary="Issued certificates",
        responses=OBJECT,
        tags=["trust"],
        parameters=[OpenApiParameter("namespace", str), OpenApiParameter("proxy", str), OpenApiParameter("current", bool)],
    )
    def get(self, request: Request) -> Response:
        namespaces = self.within("Certificate")
        items = [
            {**plain(c), "proxy": c.proxy_id} for c in queries.certificates(namespaces, self.text("proxy"), current=self.flag("current"))
        ]
        return Response({"items": items, "roots": plain(queries.roots()), "bundle": queries.trust_bundle().decode()})


class JoinTokens(View):
    """How a new workload proves that it may be one. Only admins of its namespace make them."""

    needs = {"GET": ("get", "JoinToken"), "POST": ("create", "JoinToken")}

    @extend_schema(summary="Join tokens", responses=OBJECT, tags=["trust"])
    def get(self, request: Request) -> Response:
        return Response({"items": plain(queries.join_tokens(self.within("JoinToken")))})

    @extend_schema(
        summary="Make a join token; its plaintext is in this answer only",
        request={"application/json": {"type": "object", "properties": {
            "namespace": {"type": "string", "default": "default"}, "serviceAccount": {"type": "string", "default": "default"},
            "ttl": {"type": "string", "default": "1h"}, "uses": {"type": "integer", "nullable": True, "default": 1, "description": "null: any number"},
        }}},
        responses=OBJECT,
        tags=["trust"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = content.mapping(request)
        unknown = set(sent) - {"namespace", "serviceAccount", "ttl", "uses"}
        if unknown:
            raise ParseError(f"unknown: {', '.join(sorted(unknown))}")
        namespace, account = text_of(sent, "namespace", "default"), text_of(sent, "serviceAccount", "default")
        life, uses = seconds(text_of(sent, "ttl", "1h")), sent.get("uses", 1)
        if uses is not None and (not isinstance(uses, int) or isinstance(uses, bool)):
            raise ParseError("uses: a whole number from 1 on, or null for any number")
        if not self.can(Verb.CREATE, "JoinToken", namespace):
            raise Forbidden([because("MSH0403", None, f"{request.user} may not make join tokens for namespace {namespace}")])
        try:
            row, plaintext = join.make(namespace, account, life, uses, created_by=request.user.get_username())
        except ValueError as e:
            raise ParseError(str(e))
        audit.record(self.author(), "create", f"JoinToken {namespace}/{account}", f"ttl {life} s, uses {uses or 'any number'}\n")
        return Response(
            {
                "id": row.pk,
                "token": plaintext,
                "expires": plain(row.expires),
                "namespace": namespace,
                "serviceAccount": account,
                "uses": uses,
            },
            status=201,
        )


class JoinToken(View):
    needs = {"DELETE": ("delete", "JoinToken")}

    @extend_schema(summary="Revoke a join token", responses=OBJECT, tags=["trust"])
    def delete(self, request: Request, id: int) -> Response:
        found = next((t for t in queries.join_tokens(self.within("JoinToken")) if t.id == id), None)
        if found is None or not self.can(Verb.DELETE, "JoinToken", found.namespace) or not join.revoke(id):
            raise NotFound(f"there is no living join token {id}")
        audit.record(self.author(), "delete", f"JoinToken {found.namespace}/{found.service_account}")
        return Response({"revoked": id})


class Tokens(View):
    """One's own API tokens."""

    needs = {"GET": LoggedIn, "POST": LoggedIn}

    @extend_schema(summary="One's own API tokens", responses=OBJECT, tags=["accounts"])
    def get(self, request: Request) -> Response:
        return Response({"items": [token_shown(t) for t in ApiToken.objects.filter(user=me(request)).order_by("pk")]})

    @extend_schema(
        summary="Make an API token; its plaintext is in this answer only",
        request={"application/json": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "ttl": {"type": "string", "description": "`90d`; without it: for ever"},
            **{n: {"type": "array", "items": {"type": "string"}, "description": "empty: all"} for n in ("namespaces", "kinds", "verbs")},
        }}},
        responses=OBJECT,
        tags=["accounts"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = content.mapping(request)
        if unknown := set(sent) - {"name", "ttl", "namespaces", "kinds", "verbs"}:
            raise ParseError(f"unknown: {', '.join(sorted(unknown))}")
        name = text_of(sent, "name", "")
        if not name.strip() or len(name) > 100:
            raise ParseError("name: 1 to 100 characters")
        life = text_of(sent, "ttl", "")
        expires: datetime | None = timezone.now() + timedelta(seconds=min(seconds(life), 3660 * 86400)) if life else None
        scopes = {n: words_of(sent, n) for n in ("namespaces", "kinds", "verbs")}
        if wrong := set(scopes["verbs"]) - set(Verb):
            raise ParseError(f"verbs: {', '.join(sorted(wrong))}: there are {', '.join(Verb)}")
        if isinstance(request.auth, ApiToken):
            expires = _not_wider(request.auth, scopes, expires)
        if ApiToken.objects.filter(user=me(request), name=name, revoked=None).exists():
            raise Conflict([because("MSH0409", None, f"there is a token {name!r} already; revoke it or choose another name")])
        token, plaintext = tokens.create(
            me(request), name, expires=expires, namespaces=scopes["namespaces"], kinds=scopes["kinds"], verbs=scopes["verbs"]
        )
        audit.record(self.author(), "create", f"ApiToken {name} of {request.user}", tokens.told(token))
        return Response({**token_shown(token), "token": plaintext}, status=201)


def _not_wider(maker: ApiToken, scopes: dict[str, list[str]], expires: datetime | None) -> datetime | None:
    """A token makes none that may do more, or lives longer, than itself."""
    for name, wanted in scopes.items():
        own = set(getattr(maker, name))
        if own and not wanted:
            scopes[name] = sorted(own)
        elif own and not set(wanted) <= own:
            raise Forbidden([because("MSH0403", None, f"{name}: the token in use is itself limited to {', '.join(sorted(own))}")])
    return min(filter(None, (maker.expires, expires)), default=None)


class Token(View):
    needs = {"DELETE": LoggedIn}

    @extend_schema(summary="Revoke one of one's own API tokens", responses=OBJECT, tags=["accounts"])
    def delete(self, request: Request, id: int) -> Response:
        token = ApiToken.objects.filter(pk=id, user=me(request)).first()
        if token is None or not tokens.revoke(token):
            raise NotFound(f"there is no living token {id} of yours")
        audit.record(self.author(), "delete", f"ApiToken {token.name} of {request.user}")
        return Response({"revoked": id})


def me(request: Request) -> User:
    return cast(User, request.user)  # `LoggedIn` has turned the anonymous away


def token_shown(token: ApiToken) -> dict[str, Any]:
    now = timezone.now()
    state = "revoked" if token.revoked else "expired" if token.expires and token.expires <= now else "active"
    names = ("name", "hint", "created", "expires", "last_used", "namespaces", "kinds", "verbs")
    return {"id": token.pk, "state": state, **{("lastUsed" if n == "last_used" else n): plain(getattr(token, n)) for n in names}}


def text_of(sent: dict[str, Any], name: str, default: str) -> str:
    value = sent.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise ParseError(f"{name}: a string is needed")
    return value


def words_of(sent: dict[str, Any], name: str) -> list[str]:
    value = sent.get(name) or []
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise ParseError(f"{name}: a list of strings is needed")
    return value


class RotateToken(View):
    needs = {"POST": LoggedIn}

    @extend_schema(
        summary="A new secret for one of one's own API tokens: the same name, scopes and life; the old secret opens nothing any more",
        request=None,
        responses=OBJECT,
        tags=["accounts"],
    )
    def post(self, request: Request, id: int) -> Response:
        token = ApiToken.objects.filter(pk=id, user=me(request)).first()
        if isinstance(request.auth, ApiToken) and token is not None and token != request.auth:
            _within(request.auth, token)
        plaintext = tokens.rotate(token) if token else None
        if token is None or plaintext is None:
            raise NotFound(f"there is no living token {id} of yours")
        audit.record(self.author(), "rotate", f"ApiToken {token.name} of {request.user}")
        return Response({**token_shown(token), "token": plaintext})


def _within(maker: ApiToken, other: ApiToken) -> None:
    """A token renews none that may do more, or lives longer, than itself: it would hold the secret of it."""
    scopes = {n: list(getattr(other, n)) for n in ("namespaces", "kinds", "verbs")}
    wider = any(getattr(maker, n) and not scopes[n] for n in scopes)
    if wider or _not_wider(maker, scopes, other.expires) != other.expires:
        raise Forbidden([because("MSH0403", None, "the token in use may do less than that one")])
