"""`Authorization: Bearer msh_…` on REST requests; sessions are DRF's own."""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from . import lockout, tokens
from .models import ApiToken, User


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, plaintext = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = tokens.find(plaintext.strip())
        if token is None:
            # A right token is never refused: what is counted are requests that open nothing.
            try:
                lockout.begin(lockout.bearer(request.META.get("REMOTE_ADDR") or ""), timezone.now())
            except lockout.TooMany as e:
                raise Throttled(wait=e.seconds, detail="Too many requests with a token that is unknown, expired or revoked.")
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="meshconsole"'


def _describe_to_openapi() -> None:
    from drf_spectacular.extensions import OpenApiAuthenticationExtension

    class TokenScheme(OpenApiAuthenticationExtension):  # found by drf-spectacular through its base class's registry
        target_class = "meshconsole.accounts.authentication.TokenAuthentication"
        name = "token"

        def get_security_definition(self, auto_schema: object) -> dict[str, str]:
            return {"type": "http", "scheme": "bearer"}


_describe_to_openapi()
