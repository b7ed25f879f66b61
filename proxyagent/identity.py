"""Who this agent is: its key, certificate chain and trust bundle, on disk and as Envoy's two secrets."""

import asyncio
import base64
import hashlib
import logging
import pathlib

import msgspec

from . import disk, keys
from .protocol import Resource, Trusted
from .wire import secret_with_bundle, secret_with_certificate

log = logging.getLogger("proxyagent")

OWN_CERTIFICATE = "default"
TRUST_BUNDLE = "ROOTCA"
"""Istio's names for the two secrets."""


class Identity(msgspec.Struct, frozen=True):
    """All or nothing: written as one file, so that key and certificate always belong together."""

    namespace: str
    service_account: str
    proxy_id: str
    spiffe_id: str
    serial: str
    not_after: float
    renew_at: float
    key: str
    chain: str
    bundle: str

    def secrets(self) -> tuple[Resource, ...]:
        bodies = {
            OWN_CERTIFICATE: secret_with_certificate(OWN_CERTIFICATE, self.chain.encode(), self.key.encode()),
            TRUST_BUNDLE: secret_with_bundle(TRUST_BUNDLE, self.bundle.encode()),
        }
        return tuple(Resource(name, hashlib.sha256(body).hexdigest()[:16], body) for name, body in bodies.items())

    @property
    def trusted(self) -> Trusted:
        """What the console is told once Envoy has these."""
        return Trusted(hashlib.sha256(self.bundle.encode()).hexdigest()[:32], self.serial)


class Keeper:
    """The identity on disk. Key operations run in a child process (see keys.py)."""

    def __init__(self, directory: pathlib.Path, namespace: str, name: str, service_account: str) -> None:
        self._path = directory / "identity"
        self._pending = directory / "pending-key"
        self._namespace, self._service_account, self._proxy_id = namespace, service_account, f"{namespace}/{name}"
        self._installing = asyncio.Lock()
        self._unwritten = False
        self.identity = self._load()

    def _load(self) -> Identity | None:
        data = disk.read(self._path)
        if not data:
            return None
        try:
            identity = msgspec.json.decode(data, type=Identity)
        except msgspec.DecodeError:
            return None
        wanted = (self._namespace, self._service_account, self._proxy_id)
        if (identity.namespace, identity.service_account, identity.proxy_id) != wanted:
            return None  # the operator gave this host another name or identity: it has to join as that
        return identity

    async def make_key(self) -> bytes:
        """The CSR of a new key, which waits on disk for its certificate. Raises keys.KeyTrouble."""
        made = await keys.in_child("make", path=str(self._pending), uri=self.identity.spiffe_id if self.identity else "")
        return base64.b64decode(made["csr"])

    async def sign(self, message: bytes) -> bytes:
        if self.identity is None:
            raise keys.KeyTrouble("there is no key yet")
        answer = await keys.in_child("sign", key=self.identity.key, message=base64.b64encode(message).decode())
        return base64.b64decode(answer["signature"])

    async def install(self, *, bundle: bytes, chain: bytes, renew_at: float, spiffe_id: str, proxy_id: str) -> Identity:
        """Raises keys.KeyTrouble, and then everything is as it was. One after the other: a bundle may come while a chain is being checked."""
        async with self._installing:
            return await self._install(bundle, chain, renew_at, spiffe_id, proxy_id)

    async def _install(self, bundle: bytes, chain: bytes, renew_at: float, spiffe_id: str, proxy_id: str) -> Identity:
        old = self.identity
        if not chain and old is None:
            raise keys.KeyTrouble("the console sent no certificate, and there is none on disk")
        if not chain and old is not None:
            new = msgspec.structs.replace(old, bundle=bundle.decode() or old.bundle, renew_at=renew_at or old.renew_at)
        else:
            key = disk.read(self._pending).decode()
            told = await keys.in_child("describe", chain=chain.decode(), key=key, bundle=bundle.decode() or (old.bundle if old else ""))
            spiffe_id = spiffe_id or (old.spiffe_id if old else "")
            if spiffe_id not in told["uris"]:
                raise keys.KeyTrouble(f"the certificate that came is for {told['uris']}, not for {spiffe_id}")
            new = Identity(
                self._namespace,
                self._service_account,
                proxy_id or self._proxy_id,
                spiffe_id,
                told["serial"],
                told["not_after"],
                renew_at or (told["not_before"] + told["not_after"]) / 2,
                key,
                chain.decode(),
                bundle.decode() or (old.bundle if old else ""),
            )
        if new != old or self._unwritten:
            self.identity, self._unwritten = new, True
            try:
                disk.write(self._path, msgspec.json.encode(new))
                self._unwritten = False
            except OSError as e:
                # Envoy must have it all the same, or a full disk would end all mTLS with the old certificate.
                log.error("the certificate is not on disk, and an agent after this one will not have it: %s", e)
        return new
