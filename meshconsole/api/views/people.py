"""Accounts and roles over REST: for scripts that bring people in and out, and for `meshconsole people`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts import factors, people
from meshconsole.accounts.models import User
from meshconsole.configstore.refusals import Forbidden, because

from .. import content
from ..plain import plain
from ..view import LoggedIn, View
from .trust import me, text_of

OBJECT = OpenApiTypes.OBJECT
TAGS = ["accounts"]
STRING = {"type": "string"}


@contextmanager
def told() -> Iterator[None]:
    """Refusals of the room below as answers; all or nothing."""
    try:
        with transaction.atomic():
            yield
    except people.Refused as e:
        if e.forbidden:
            raise Forbidden([because("MSH0403", None, str(e))])
        raise ParseError(f"{e.field}: {e}" if e.field else str(e))


def only(sent: dict[str, Any], *names: str) -> dict[str, Any]:
    """A field that nobody asked for is not taken, lest somebody believe that it was."""
    if unknown := set(sent) - set(names):
        raise ParseError(f"unknown: {', '.join(sorted(unknown))}")
    return sent


class PersonView(View):
    def person(self, username: str) -> User:
        found = people.seen(self.author()).filter(username=username).first()
        if found is None:
            raise NotFound(f"there is nobody called {username!r}")
        return found

    def shown(self, user: User) -> dict[str, Any]:
        where = self.namespaces("Grant")
        return {
            "username": user.username,
            "name": user.first_name,
            "email": user.email,
            "state": people.state(user),
            "signsInBy": "sso" if user.subject else "password",
            "secondFactor": factors.has(user),
            "lastLogin": plain(user.last_login),
            "roles": {n: r for n, r in sorted(people.roles(user).items()) if where is None or n in where},
        }


class People(PersonView):
    needs = {"GET": ("get", "Grant"), "POST": ("create", "User")}

    @extend_schema(summary="People and their roles", responses=OBJECT, tags=TAGS)
    def get(self, request: Request) -> Response:
        return Response({"items": [self.shown(u) for u in people.seen(self.author())]})

    @extend_schema(
        summary="Add somebody; without a password the answer holds a link by which they set one",
        request={"application/json": {"type": "object", "required": ["username"], "properties": {
            "username": STRING, "name": STRING, "email": STRING, "password": STRING,
            "roles": {"type": "object", "additionalProperties": {"enum": ["viewer", "editor", "admin"]}, "description": "namespace (`*`: all) to role"},
        }}},
        responses=OBJECT,
        tags=TAGS,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = only(content.mapping(request), "username", "name", "email", "password", "roles")
        roles = sent.get("roles") or {}
        if not isinstance(roles, dict) or not all(isinstance(r, str) for r in roles.values()):
            raise ParseError("roles: an object of namespace to role is needed")
        text = {n: text_of(sent, n, "") for n in ("username", "name", "email", "password")}
        with told():
            user = people.create(
                self.author(), text["username"], email=text["email"], name=text["name"], password=text["password"], grants=roles
            )
            link = {} if text["password"] else {"invitation": request.build_absolute_uri(people.invitation(self.author(), user))}
        return Response({**self.shown(user), **link}, status=201)


class Person(PersonView):
    needs = {"GET": ("get", "Grant"), "PATCH": ("update", "User")}

    @extend_schema(summary="One person", responses=OBJECT, tags=TAGS)
    def get(self, request: Request, username: str) -> Response:
        return Response(self.shown(self.person(username)))

    @extend_schema(
        summary="Change a name or an address, disable or enable",
        request={"application/json": {"type": "object", "properties": {"name": STRING, "email": STRING, "active": {"type": "boolean"}}}},
        responses=OBJECT,
        tags=TAGS,
    )
    def patch(self, request: Request, username: str) -> Response:
        sent = only(content.mapping(request), "name", "email", "active")
        if not isinstance(sent.get("active", True), bool):
            raise ParseError("active: true or false is needed")
        user = self.person(username)
        with told():
            text = {n: text_of(sent, n, "") for n in ("name", "email") if n in sent}
            people.change(self.author(), user, active=sent.get("active"), **text)
        return Response(self.shown(user))


class PersonRole(PersonView):
    """One person's role in one namespace. An admin of the namespace gives and takes it."""

    needs = {"PUT": ("update", "Grant"), "DELETE": ("delete", "Grant")}

    @extend_schema(
        summary="Give a role in a namespace (`*`: all)",
        request={
            "application/json": {
                "type": "object",
                "required": ["role"],
                "properties": {"role": {"enum": ["viewer", "editor", "admin"]}},
            }
        },
        responses=OBJECT,
        tags=TAGS,
    )
    def put(self, request: Request, username: str, namespace: str) -> Response:
        sent = only(content.mapping(request), "role")
        user = self.person(username)
        with told():
            people.grant(self.author(), user, namespace, text_of(sent, "role", ""))
        return Response(self.shown(self.person(username)))

    @extend_schema(summary="Take the role in a namespace away", responses=OBJECT, tags=TAGS)
    def delete(self, request: Request, username: str, namespace: str) -> Response:
        user = self.person(username)
        with told():
            if not people.withdraw(self.author(), user, namespace):
                raise NotFound(f"{username} has no role in {namespace}")
        return Response(self.shown(self.person(username)))


class PersonInvitation(PersonView):
    needs = {"POST": ("update", "User")}

    @extend_schema(summary="A link by which somebody sets a new password, once", request=None, responses=OBJECT, tags=TAGS)
    def post(self, request: Request, username: str) -> Response:
        with told():
            return Response({"invitation": request.build_absolute_uri(people.invitation(self.author(), self.person(username)))}, status=201)


class PersonSessions(PersonView):
    needs = {"DELETE": ("update", "User")}

    @extend_schema(summary="Sign somebody out everywhere", responses=OBJECT, tags=TAGS)
    def delete(self, request: Request, username: str) -> Response:
        with told():
            people.sign_out(self.author(), self.person(username))
        return Response({"signedOut": username})


class PersonLockout(PersonView):
    needs = {"DELETE": ("update", "User")}

    @extend_schema(summary="Let somebody who has to wait after wrong passwords try again now", responses=OBJECT, tags=TAGS)
    def delete(self, request: Request, username: str) -> Response:
        with told():
            return Response({"lifted": people.unlock(self.author(), self.person(username))})


class PersonSecondFactor(PersonView):
    needs = {"DELETE": ("update", "User")}

    @extend_schema(summary="Remove the second factor of somebody who lost it", responses=OBJECT, tags=TAGS)
    def delete(self, request: Request, username: str) -> Response:
        with told():
            return Response({"removed": people.reset_factors(self.author(), self.person(username))})


class Me(View):
    """Whose token or session this is, and what it may do: for scripts that want to know before they try."""

    needs = {"GET": LoggedIn}

    @extend_schema(summary="Who asks", responses=OBJECT, tags=TAGS)
    def get(self, request: Request) -> Response:
        user = me(request)
        token: Any = request.auth
        said: dict[str, Any] = {"username": user.username, "roles": people.roles(user), "door": self.author().door}
        if token is not None:
            said["token"] = {
                "name": token.name, "expires": plain(token.expires), "namespaces": token.namespaces, "kinds": token.kinds, "verbs": token.verbs,
            }  # fmt: skip
        return Response(said)
