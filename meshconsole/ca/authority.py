"""The authority itself: makes its root and intermediate at first use, once however many processes ask, and hands out what signs."""

import datetime
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from . import keystore, making
from .making import BACKDATED, ISSUER_LIFE, ROOT_LIFE, Key
from .models import Intermediate, State, TrustRoot

__all__ = ["BACKDATED", "ISSUER_LIFE", "ROOT_LIFE", "Issuer", "active", "first", "opened"]
BELIEVED = (State.PENDING, State.ACTIVE, State.RETIRING)
"""In every bundle."""


@dataclass(frozen=True)
class Issuer:
    """What signs: the active intermediate."""

    id: int
    root_id: int
    certificate: x509.Certificate
    key: Key
    intermediates: bytes
    """PEM of what stands between a leaf and the root."""


def active(now: datetime.datetime) -> Issuer:
    """The issuer in use. The first call ever makes it. Raises keystore.Locked."""
    return opened(first(now))


def first(now: datetime.datetime) -> Intermediate:
    """The active intermediate's row."""
    return Intermediate.objects.filter(state=State.ACTIVE).first() or _create(now)


def opened(row: Intermediate) -> Issuer:
    """Raises keystore.Locked."""
    return _opened(row.pk, row.root_id or 0, row.certificate, row.chain, bytes(row.sealed_key), keystore.ring())


def _create(now: datetime.datetime) -> Intermediate:
    """Whoever inserts generation 1 first has made the root; the others' keys are thrown away unused."""
    try:
        with transaction.atomic():
            root = own_root(1, now, State.ACTIVE)
            return own_intermediate(root, 1, now, State.ACTIVE)
    except IntegrityError:
        return Intermediate.objects.get(state=State.ACTIVE)


def own_root(generation: int, now: datetime.datetime, state: State) -> TrustRoot:
    key = making.key()
    certificate = making.root(key, generation, settings.TRUST_DOMAIN, now)
    return TrustRoot.objects.create(
        generation=generation,
        state=state,
        certificate=making.pem(certificate),
        sealed_key=keystore.seal(key, root_name(generation)),
        created=now,
        not_after=certificate.not_valid_after_utc,
    )


def own_intermediate(root: TrustRoot, number: int, now: datetime.datetime, state: State, by: str = "") -> Intermediate:
    """Signed by a root whose key is here. Raises keystore.Locked."""
    key = making.key()
    parent = x509.load_pem_x509_certificate(root.certificate.encode())
    parent_key = keystore.unseal(bytes(root.sealed_key), root_name(root.generation))
    certificate = making.intermediate(key, number, parent, parent_key, settings.TRUST_DOMAIN, now)
    return Intermediate.objects.create(
        number=number,
        root=root,
        state=state,
        certificate=making.pem(certificate),
        sealed_key=keystore.seal(key, keystore.ISSUER),
        created=now,
        created_by=by,
        not_after=certificate.not_valid_after_utc,
        activated=now if state == State.ACTIVE else None,
    )


def root_name(generation: int) -> str:
    """What the root's key is sealed under."""
    return f"root {generation}"


def next_generation() -> int:
    return (TrustRoot.objects.aggregate(last=Max("generation"))["last"] or 0) + 1


def next_number() -> int:
    return (Intermediate.objects.aggregate(last=Max("number"))["last"] or 0) + 1


@lru_cache(maxsize=8)
def _opened(id: int, root_id: int, certificate: str, chain: str, sealed: bytes, _ring: tuple[str, ...]) -> Issuer:
    return Issuer(
        id,
        root_id,
        x509.load_pem_x509_certificate(certificate.encode()),
        keystore.unseal(sealed, keystore.ISSUER),
        (certificate.strip() + "\n" + (chain.strip() + "\n" if chain.strip() else "")).encode(),
    )
