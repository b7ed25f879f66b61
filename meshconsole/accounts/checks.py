"""What is wrong with the settings of people's sign-in, told at start (`manage.py check`) instead of at somebody's first sign-in."""

import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from .models import Role


@register()
def sign_in(app_configs: Any, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for network in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(network.strip(), strict=False)
        except ValueError:
            found.append(Error(f"TRUSTED_PROXIES: {network!r} is no network", hint="10.0.0.0/8,2001:db8::/32", id="meshconsole.E001"))
    roles = settings.OIDC_ROLES
    shaped = isinstance(roles, dict) and all(isinstance(v, dict) and all(r in Role.values for r in v.values()) for v in roles.values())
    if not shaped:
        hint = '{"mesh-admins": {"*": "admin"}, "payments-team": {"payments": "editor"}}'
        found.append(Error("OIDC_ROLES is not an object of groups to namespaces to roles", hint=hint, id="meshconsole.E002"))
    if settings.OIDC_ISSUER and not settings.OIDC_CLIENT_ID:
        found.append(Error("OIDC_ISSUER is set, and OIDC_CLIENT_ID is not", id="meshconsole.E003"))
    if settings.OIDC_ISSUER and "openid" not in settings.OIDC_SCOPES.split():
        found.append(Error("OIDC_SCOPES lacks openid: the provider would prove nothing", id="meshconsole.E004"))
    if settings.OIDC_ISSUER.startswith("http:") and not settings.DEBUG:
        found.append(Warning("OIDC_ISSUER is not https: whoever is on the way can sign in as anybody", id="meshconsole.W001"))
    return found
