"""
Passkeys (WebAuthn): a key pair whose private half stays in the person's device, bound to this console's name, so that it cannot be phished.

The authenticator must verify its owner (PIN, finger, face): a passkey is two factors at once, and asks for no code after it.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

import webauthn
from django.utils import timezone
from django.utils.crypto import salted_hmac
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, exceptions
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from .models import Passkey, User

MOST = 20
"""Per person."""
LONGEST = 20_000
"""Characters of an authenticator's answer."""


class Refused(Exception):
    """Why not, in a sentence that may be shown."""


@dataclass(frozen=True)
class Here:
    """Where the browser is: the console's name without port, and the origins that its pages may have."""

    name: str
    origins: tuple[str, ...]

    @property
    def possible(self) -> bool:
        """Passkeys are bound to names; browsers make none for an IP address."""
        try:
            ipaddress.ip_address(self.name.strip("[]"))
        except ValueError:
            return bool(self.name)
        return False


def _handle(user: User) -> bytes:
    """Who it is for the authenticator: opaque, for it may be shown to others."""
    return salted_hmac("accounts.passkey", str(user.pk), algorithm="sha256").digest()


def registration(user: User, here: Here) -> tuple[str, str]:
    """Options for `navigator.credentials.create` as JSON, and the challenge."""
    options = webauthn.generate_registration_options(
        rp_id=here.name,
        rp_name="Meshconsole",
        user_name=user.username,
        user_id=_handle(user),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(p.credential)) for p in user.passkeys.all()],
    )
    return webauthn.options_to_json(options), bytes_to_base64url(options.challenge)


def register(user: User, name: str, answer: str, challenge: str, here: Here) -> Passkey:
    """What the authenticator answered. Raises Refused."""
    if user.passkeys.count() >= MOST:
        raise Refused(f"You have {MOST} passkeys; remove one first.")
    try:
        said = webauthn.verify_registration_response(
            credential=_parsed(answer),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=here.name,
            expected_origin=list(here.origins),
            require_user_verification=True,
        )
    except (exceptions.WebAuthnException, ValueError, KeyError, TypeError) as e:
        raise Refused("The answer of the authenticator was not valid. Try again.") from e
    credential = bytes_to_base64url(said.credential_id)
    if Passkey.objects.filter(credential=credential).exists():
        raise Refused("This passkey is here already.")
    return Passkey.objects.create(
        user=user,
        name=name.strip()[:100] or "Passkey",
        credential=credential,
        public_key=said.credential_public_key,
        sign_count=said.sign_count,
        created=timezone.now(),
    )


def authentication(here: Here) -> tuple[str, str]:
    """Options for `navigator.credentials.get` as JSON, and the challenge. They name nobody: the authenticator knows whom it has keys of."""
    options = webauthn.generate_authentication_options(rp_id=here.name, user_verification=UserVerificationRequirement.REQUIRED)
    return webauthn.options_to_json(options), bytes_to_base64url(options.challenge)


def authenticate(answer: str, challenge: str, here: Here) -> Passkey:
    """Whose key signed the challenge. Raises Refused."""
    try:
        credential = _parsed(answer)
        found = Passkey.objects.select_related("user").filter(credential=str(credential["id"])[:1400]).first()
        if found is None:
            raise Refused("Nobody here has this passkey. Was it removed?")
        said = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=here.name,
            expected_origin=list(here.origins),
            credential_public_key=bytes(found.public_key),
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    except (exceptions.WebAuthnException, ValueError, KeyError, TypeError) as e:
        raise Refused("The answer of the authenticator was not valid. Try again.") from e
    fresh = Passkey.objects.filter(pk=found.pk, sign_count=found.sign_count)
    if fresh.update(sign_count=said.new_sign_count, last_used=timezone.now()) != 1:
        raise Refused("The answer of the authenticator was not valid. Try again.")
    if not found.user.is_active:
        raise Refused("Your account is disabled.")
    return found


def _parsed(answer: str) -> dict[str, Any]:
    if len(answer) > LONGEST:
        raise ValueError("too long")
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
