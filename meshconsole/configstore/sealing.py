"""
Secrets in resources: encrypted in every row (resources, changes), opened only to be parsed, redacted wherever they are shown.

AES-256-SIV under a key derived from CA_KEY_ENCRYPTION_KEY, or else SECRET_KEY. It needs no nonce and is deterministic: what is stored
just so already makes no change, and equal values (of one field of one resource) are all that the ciphertext tells. Each value is
bound to its resource and field: it cannot be put in another's place.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from meshconsole.core import policies

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MARK = "sealed:v1:"
"""No base64 has a colon: what is sealed cannot be taken for what is not."""
Body = Mapping[str, Any]


class Locked(RuntimeError):
    """The key-encryption key is not the one that this was sealed with."""


def has_secrets(body: Body) -> bool:
    return bool(_confidential(body))


def sealed(body: dict[str, Any]) -> dict[str, Any]:
    """As it is stored."""
    return _without_last_applied(_each(body, lambda where, value: value if value.startswith(_MARK) else _seal(where, value)))


def opened(body: dict[str, Any]) -> dict[str, Any]:
    """As its author wrote it: to be parsed, and never to be shown. Raises Locked."""
    return _each(body, lambda where, value: _open(where, value) if value.startswith(_MARK) else value)


def redacted(body: dict[str, Any], *, encoded: bool = False) -> dict[str, Any]:
    """As it is shown: that there is something, and by its fingerprint whether it changed. `encoded`: in base64, as Kubernetes' clients
    must find it."""
    return _each(body, lambda where, value: _encoded(_shown(where, value)) if encoded else _shown(where, value))


def restored(sent: Any, stored: Body | None) -> Any:
    """What a client got redacted and sends back unchanged is what is stored."""
    if stored is None or not isinstance(sent, dict) or not has_secrets(stored):
        return sent
    whole = dict(sent)
    for mapping in _confidential(stored):
        if not isinstance(whole.get(mapping), dict):
            continue
        held, shown = opened(dict(stored)), redacted(dict(stored), encoded=True)
        whole[mapping] = {
            name: held[mapping][name] if value == shown.get(mapping, {}).get(name) else value for name, value in whole[mapping].items()
        }
    return whole


def _confidential(body: Body) -> Mapping[str, frozenset[str]]:
    kind = policies.KINDS.get((str(body.get("apiVersion", "")).rpartition("/")[0], str(body.get("kind", ""))))
    return kind.confidential if kind is not None else {}


def _each(body: dict[str, Any], how: Callable[[str, str], str]) -> dict[str, Any]:
    found = dict(body)
    metadata = body.get("metadata") or {}
    owner = f"{body.get('kind')} {metadata.get('namespace')}/{metadata.get('name')}"
    for mapping, public in _confidential(body).items():
        if isinstance(body.get(mapping), dict):
            found[mapping] = {
                name: how(f"{owner} {mapping}.{name}", value) if name not in public and isinstance(value, str) else value
                for name, value in body[mapping].items()
            }
    return found


def _without_last_applied(body: dict[str, Any]) -> dict[str, Any]:
    """kubectl notes all that it was given in an annotation: the names of the fields stay, which is what it needs, and the secrets go."""
    annotations = body.get("metadata", {}).get("annotations") or {}
    confidential = _confidential(body)
    if LAST_APPLIED not in annotations or not confidential:
        return body
    kept = {k: v for k, v in annotations.items() if k != LAST_APPLIED}
    try:
        noted = json.loads(annotations[LAST_APPLIED])
        for mapping, public in {**confidential, "stringData": frozenset[str]()}.items():
            if mapping in noted:
                noted[mapping] = {name: value if name in public else "" for name, value in noted[mapping].items()}
        kept[LAST_APPLIED] = json.dumps(noted, separators=(",", ":"), sort_keys=True)
    except (ValueError, TypeError, AttributeError):
        pass  # not kubectl's: dropped
    return {**body, "metadata": {**body["metadata"], "annotations": kept}}


def _seal(where: str, value: str) -> str:
    return _MARK + base64.b64encode(_cipher(_secret()).encrypt(value.encode(), [where.encode()])).decode() if value else value


def _open(where: str, value: str) -> str:
    try:
        return _cipher(_secret()).decrypt(base64.b64decode(value.removeprefix(_MARK)), [where.encode()]).decode()
    except (InvalidTag, binascii.Error, ValueError) as e:
        raise Locked(
            f"{where} cannot be decrypted: CA_KEY_ENCRYPTION_KEY (or SECRET_KEY, when that is not set) differs from the one it was stored with"
        ) from e


def _shown(where: str, value: str) -> str:
    """The fingerprint is of the ciphertext: nobody without the key can try values."""
    cipher = value if value.startswith(_MARK) else _seal(where, value)
    return f"[redacted {hashlib.sha256(cipher.encode()).hexdigest()[:8]}]"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _secret() -> str:
    return getattr(settings, "CA_KEY_ENCRYPTION_KEY", "") or settings.SECRET_KEY


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESSIV:
    return AESSIV(HKDF(hashes.SHA256(), 64, salt=None, info=b"meshconsole configstore sealing v1").derive(secret.encode()))
