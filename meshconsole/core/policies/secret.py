"""Secret: the certificates and keys that Gateways and DestinationRules name by `credentialName`. Kubernetes' `v1 Secret`, so that `kubectl create secret tls` works."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import Field, model_validator

from meshconsole.core.envoy.draft import CREDENTIAL, ClusterDraft, Draft, GatewayDraft, Json
from meshconsole.core.resources.messages import Message

from .base import Phase, Policy, View

TLS, OPAQUE = "kubernetes.io/tls", "Opaque"
CHAINS, KEYS, ROOTS, REVOKED = ("tls.crt", "cert"), ("tls.key", "key"), ("ca.crt", "cacert"), ("ca.crl", "crl")
"""Istio's names for each: those of `kubernetes.io/tls`, and those of a generic Secret."""
PUBLIC = frozenset((*CHAINS, *ROOTS, *REVOKED))
REDACTED = "[redacted"
SOON = timedelta(days=14)


class Credential(NamedTuple):
    """What a Secret holds, in PEM; '' what it does not."""

    chain: str
    key: str
    roots: str
    revoked: str


class Secret(Policy):
    group: ClassVar[str] = ""
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "secrets"
    phase: ClassVar[Phase | None] = Phase.CREDENTIALS
    confidential: ClassVar[dict[str, frozenset[str]]] = {"data": PUBLIC}

    type: str = OPAQUE
    """`kubernetes.io/tls` (`tls.crt`, `tls.key`, optionally `ca.crt`), or `Opaque`, as Istio takes it too (`cert`, `key`, `cacert`)."""
    data: dict[str, str] = Field(default_factory=dict)
    """The files by name, in base64. Private keys are kept encrypted, and are never shown again."""
    string_data: dict[str, str] = Field(default_factory=dict)
    """The same as text, for writing only: it becomes `data`."""
    immutable: bool | None = None
    """Kubernetes' word that the data shall not change. Only `false` is taken: credentials are there to be rotated."""
    spec: Any = Field(default=None, exclude=True)
    """None: a Secret has `type` and `data` instead."""

    @model_validator(mode="before")
    @classmethod
    def _as_data(cls, written: Any) -> Any:
        if not isinstance(written, dict) or not isinstance(text := written.get("stringData"), dict):
            return written
        data = written.get("data") or {}
        if not isinstance(data, dict) or not all(isinstance(value, str) for value in text.values()):
            return written  # the schema says what is wrong
        encoded = {name: base64.b64encode(value.encode("utf-8", "surrogatepass")).decode() for name, value in text.items()}
        return {**{k: v for k, v in written.items() if k != "stringData"}, "data": {**data, **encoded}}

    def check(self) -> Iterator[Message]:
        if self.spec:
            yield self.error("spec", "a Secret has no spec; `type` and `data` say what it holds")
        if self.immutable:
            yield self.error("immutable", "not supported yet: credentials are there to be rotated")
        if self.type not in (TLS, OPAQUE):
            yield self.error("type", f"not supported: {self.type!r}; {TLS} and {OPAQUE} are")
            return
        unread = False
        for name, value in self.data.items():
            if name not in PUBLIC and name not in KEYS:
                yield self.warning(f"data.{name}", f"no Gateway reads it; those that are read: {', '.join(sorted((*PUBLIC, *KEYS)))}")
            if fault := _unreadable(value):
                unread = True
                yield self.error(f"data.{name}", fault)
        if not unread:
            yield from (self.error(path, text) for path, text in _problems(self.credential(), self.type, self.data))

    def credential(self) -> Credential:
        def one(names: Iterable[str]) -> str:
            found = next((self.data[name] for name in names if self.data.get(name)), "")
            return base64.b64decode(found).decode("utf-8", "replace")

        return Credential(one(CHAINS), one(KEYS), one(ROOTS), one(REVOKED))

    def dated(self, now: datetime) -> Iterator[Message]:
        credential = self.credential()
        for name, pem in ((CHAINS[0], credential.chain), (ROOTS[0], credential.roots)):
            if not pem:
                continue
            for certificate in _certificates(pem):
                who = certificate.subject.rfc4514_string() or "without a name"
                if certificate.not_valid_after_utc <= now:
                    yield self.warning(
                        f"data.{name}", f"the certificate {who} ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
                    )
                elif certificate.not_valid_after_utc - now < SOON:
                    yield self.warning(
                        f"data.{name}", f"the certificate {who} ends at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
                    )
                if certificate.not_valid_before_utc > now:
                    yield self.warning(
                        f"data.{name}", f"the certificate {who} begins only at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
                    )

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        """Gives each credential that a server of this gateway, or a cluster's DestinationRule, names. They are of the gateway proxy's own namespace, as in Istio."""
        if not isinstance(draft, GatewayDraft | ClusterDraft):
            return
        own = {policy.metadata.name: policy for policy in policies if policy.metadata.namespace == view.namespace}
        named = draft.credentials if isinstance(draft, ClusterDraft) else {name for server in draft.servers for name in server.credentials}
        for wanted in sorted(named):
            if (found := _secret(wanted, own)) is not None:
                secret, body = found
                draft.credentials[wanted] = {"name": wanted, **body}
                draft.origins.append(secret.origin("data"))


def _secret(wanted: str, own: Mapping[str, Secret]) -> tuple[Secret, Json] | None:
    """Envoy's secret for an SDS name. `<name>-cacert` is that Secret, or else the CA certificates of `<name>`."""
    name = wanted.removeprefix(CREDENTIAL.scheme)
    base = name.removesuffix(CREDENTIAL.authorities)
    if base != name:
        for each in (own.get(name), own.get(base)):
            if each is not None and (credential := each.credential()).roots:
                context: Json = {"trusted_ca": {"inline_string": credential.roots}}
                if credential.revoked:
                    context["crl"] = {"inline_string": credential.revoked}
                return each, {"validation_context": context}
        return None
    secret = own.get(name)
    if secret is None or not (credential := secret.credential()).chain or not credential.key:
        return None
    pair = {"certificate_chain": {"inline_string": credential.chain}, "private_key": {"inline_string": credential.key}}
    return secret, {"tls_certificate": pair}


def _unreadable(value: str) -> str:
    if value.startswith(REDACTED):
        return "is what the console shows in place of a key; send the key itself"
    try:
        plain = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return "must be base64"
    return "is what the console shows in place of a key; send the key itself" if plain.startswith(REDACTED.encode()) else ""


def _problems(credential: Credential, type_: str, data: dict[str, str]) -> Iterator[tuple[str, str]]:
    chain_at, key_at, roots_at, revoked_at = (
        "data." + next((name for name in names if name in data), names[0]) for names in (CHAINS, KEYS, ROOTS, REVOKED)
    )
    if not any(credential) and type_ != TLS:
        yield "data", f"holds no credential: {', '.join(sorted((*PUBLIC, *KEYS)))} are what Gateways read"
    if type_ == TLS or credential.chain or credential.key:
        if not credential.chain:
            yield chain_at, "is required: the certificate, then its intermediates, in PEM"
        if not credential.key:
            yield key_at, "is required: the certificate's private key, in PEM"
    chain = _certificates(credential.chain)
    if credential.chain and not chain:
        yield chain_at, "is no certificate in PEM"
    if credential.key:
        yield from ((key_at, text) for text in _key_problems(credential.key, chain))
    if credential.roots and not _certificates(credential.roots):
        yield roots_at, "holds no certificate in PEM"
    if credential.revoked and not _readable_list(credential.revoked):
        yield revoked_at, "is no certificate revocation list in PEM"


def _key_problems(pem: str, chain: list[x509.Certificate]) -> Iterator[str]:
    """Never says anything of the key itself: these texts are shown and logged."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        yield "is protected by a password; store it without one, the console encrypts it"
        return
    except (ValueError, UnsupportedAlgorithm):
        yield "is no private key in PEM"
        return
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 2048:
            yield f"has {key.key_size} bits; Envoy takes RSA keys of 2048 bits and more"
    elif not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in ("secp256r1", "secp384r1", "secp521r1"):
        yield "must be an RSA key, or an EC key on P-256, P-384 or P-521"
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if chain and key.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        yield "is not the key of the first certificate in the chain"


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        for each in found:
            each.public_key()
        return found
    except (ValueError, UnsupportedAlgorithm):
        return []


def _readable_list(pem: str) -> bool:
    try:
        x509.load_pem_x509_crl(pem.encode())
    except ValueError:
        return False
    return True
