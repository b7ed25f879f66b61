"""
Single sign-on by OpenID Connect: the authorization code flow with PKCE, state and nonce, by Authlib. Off unless OIDC_ISSUER is set.

A person is known by the provider's issuer and `sub`, never by a name or an address, which a provider may let people choose: an account that
was made here is not taken over by who calls themselves the same over there. Roles follow the groups at each sign-in.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from . import audit
from .author import Author
from .models import Grant, Role, User

TIMEOUT = 10.0
METADATA_LIFE = 3600.0
SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"})
"""Only what is signed with a key that nobody but the provider has: neither `none`, nor HMAC under something that is public."""
_RANK = {Role.VIEWER.value: 1, Role.EDITOR.value: 2, Role.ADMIN.value: 3}


class Refused(Exception):
    """Why nobody is signed in, in a sentence that may be shown."""


def configured() -> bool:
    return bool(settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID)


_lock = threading.Lock()
_client: tuple[tuple[str, ...], float, Any] | None = None


def _provider() -> Any:
    """Authlib's client with the provider's metadata, read once an hour. Raises Refused."""
    global _client
    key = (settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET, settings.OIDC_SCOPES)
    with _lock:
        if _client is not None and _client[0] == key and time.monotonic() - _client[1] < METADATA_LIFE:
            return _client[2]
    issuer = settings.OIDC_ISSUER
    client = OAuth().register(
        "provider",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET or None,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": settings.OIDC_SCOPES, "code_challenge_method": "S256", "default_timeout": TIMEOUT},
    )
    try:
        metadata = client.load_server_metadata()
    except (requests.RequestException, ValueError) as e:
        raise Refused(f"The single sign-on provider does not answer ({type(e).__name__}).") from e
    if str(metadata.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):  # OpenID Connect Discovery, 4.3
        raise Refused("The single sign-on provider says that it is somebody else: OIDC_ISSUER must be its issuer.")
    advertised = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = sorted(SIGNATURES & set(advertised))
    with _lock:
        _client = (key, time.monotonic(), client)
    return client


def begin(request: HttpRequest, callback: str) -> HttpResponse:
    """Off to the provider. Raises Refused."""
    client = _provider()
    try:
        return client.authorize_redirect(request, callback)
    except (OAuthError, RuntimeError, requests.RequestException) as e:
        raise Refused("The single sign-on provider cannot be used: its configuration names no address for signing in.") from e


def finish(request: HttpRequest) -> dict[str, Any]:
    """Back from the provider: the claims that it has signed. Raises Refused."""
    client = _provider()
    metadata = client.load_server_metadata()
    options = {
        "iss": {"essential": True, "value": metadata["issuer"]},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
    }
    try:
        token = client.authorize_access_token(request, claims_options=options)
        claims = dict(token.get("userinfo") or {})
        if not claims.get("sub"):
            raise Refused("The single sign-on provider sent no proof of who you are.")
        if settings.OIDC_GROUPS_CLAIM not in claims and metadata.get("userinfo_endpoint"):
            more = client.userinfo(token=token)
            if more.get("sub") != claims["sub"]:  # OpenID Connect Core, 5.3.2: else it must not be used
                raise Refused("The single sign-on provider told of two different people.")
            claims = {**more, **claims}
    except (OAuthError, JoseError, requests.RequestException, ValueError, KeyError, TypeError) as e:
        raise Refused("The single sign-on provider's answer was not valid, or not meant for this browser. Try again.") from e
    return claims


def roles_of(groups: Any) -> dict[str, str]:
    """What the groups give, by OIDC_ROLES: the highest role in each namespace."""
    named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    found: dict[str, str] = {}
    for group in named:
        for namespace, role in settings.OIDC_ROLES.get(str(group), {}).items():
            if _RANK[role] > _RANK.get(found.get(namespace, ""), 0):
                found[namespace] = role
    return found


@transaction.atomic
def admit(claims: Mapping[str, Any], address: str) -> User:
    """The account of whom the claims tell, made when it is the first time, with the roles of their groups. Raises Refused."""
    groups = claims.get(settings.OIDC_GROUPS_CLAIM)
    required = set(settings.OIDC_REQUIRED_GROUPS)
    if required and not required & set(groups if isinstance(groups, list) else [groups]):
        raise Refused("You are in none of the groups that may use this console.")
    subject = f"{settings.OIDC_ISSUER.rstrip('/')} {claims['sub']}"[:600]
    user = User.objects.select_for_update().filter(subject=subject).first()
    if user is None:
        user = _new(claims, subject, address)
    if not user.is_active:
        raise Refused("Your account is disabled.")
    email, name = str(claims.get("email") or "")[:254], str(claims.get("name") or "")[:150]
    if (user.email, user.first_name) != (email, name):
        user.email, user.first_name = email, name
        user.save(update_fields=["email", "first_name"])
    _follow(user, roles_of(groups), address)
    return user


def _new(claims: Mapping[str, Any], subject: str, address: str) -> User:
    wanted = str(claims.get(settings.OIDC_USERNAME_CLAIM) or claims.get("email") or claims["sub"])
    username = re.sub(r"[^\w.@+-]+", "-", wanted)[:150]
    try:
        User.username_validator(username)
    except ValidationError:
        raise Refused("The single sign-on provider gave no usable user name.") from None
    if User.objects.filter(username__iexact=username).exists():
        raise Refused(f"There is another account called {username}. Ask an admin of this console to give that one up, or to rename it.")
    user = User(username=username, subject=subject)
    user.set_unusable_password()
    user.save()
    audit.record(Author(username, "browser", address), "create", f"User {username}", "+by single sign-on\n")
    return user


def _follow(user: User, wanted: dict[str, str], address: str) -> None:
    """Roles that an admin gave here stay as they are."""
    rows = {g.namespace: g for g in Grant.objects.filter(user=user)}
    said = []
    for namespace, grant in sorted(rows.items()):
        if grant.source == "sso" and namespace not in wanted:
            said.append(f"-{namespace}: {grant.role}")
            grant.delete()
    for namespace, role in sorted(wanted.items()):
        before = rows.get(namespace)
        if before is None:
            Grant.objects.create(user=user, namespace=namespace, role=role, source="sso")
            said.append(f"+{namespace}: {role}")
        elif before.source == "sso" and before.role != role:
            said += [f"-{namespace}: {before.role}", f"+{namespace}: {role}"]
            before.role = role
            before.save()
    if said:
        user.__dict__.pop("roles", None)
        audit.record(Author("single sign-on", "system", address), "grant", f"User {user.username}", "\n".join(said) + "\n")
