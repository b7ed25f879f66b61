"""A console that speaks protocol.py and signs with a throw-away CA; it holds no policy and compiles nothing."""

import asyncio
import datetime
import os
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from proxyagent import protocol
from proxyagent.protocol import decode_from_agent, encode, proof
from telemetry import samples

NAME = "fake"


class Authority:
    """A root that signs whatever it is asked to."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test root")])
        self.root = (
            self._build(name, name, self.key.public_key(), datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(self.key, hashes.SHA256())
        )
        self.issued: dict[str, x509.Certificate] = {}

    def _build(self, subject, issuer, key, life):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=5))
            .not_valid_after(now + life)
        )

    @property
    def bundle(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)

    def sign(self, csr: bytes, uri: str, seconds: float) -> bytes:
        request = x509.load_der_x509_csr(csr)
        assert request.is_signature_valid
        certificate = (
            self._build(_subject(uri), self.root.subject, request.public_key(), datetime.timedelta(seconds=seconds))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), True)
            .sign(self.key, hashes.SHA256())
        )
        self.issued[f"{certificate.serial_number:x}"] = certificate
        return certificate.public_bytes(serialization.Encoding.PEM)

    def client(self, uri: str) -> tuple[bytes, bytes]:
        """Chain and key of a peer."""
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self.sign(csr.public_bytes(serialization.Encoding.DER), uri, 3600), pem


def _subject(uri: str) -> x509.Name:
    account = uri.rsplit("/", 1)[-1]
    pairs = {
        NameOID.COMMON_NAME: f"{account}-v1",
        NameOID.ORGANIZATION_NAME: account,
        NameOID.ORGANIZATIONAL_UNIT_NAME: "v1",
        NameOID.LOCALITY_NAME: account,
        NameOID.STATE_OR_PROVINCE_NAME: "v1",
    }
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs.items()])


@dataclass
class FakeConsole:
    authority: Authority = field(default_factory=Authority)
    token: str = "mjt_test"
    life: float = 3600.0
    """Of the certificates, in seconds."""
    heartbeat: float = 20.0
    hosts: dict[str, protocol.Push] = field(default_factory=dict)
    """authority -> what to push when it is asked for."""
    frames: list = field(default_factory=list)
    links: int = 0
    stored: dict[tuple[str, int], samples.Batch] = field(default_factory=dict)
    lose_acks: bool = False
    refuse: protocol.Refused | None = None
    port: int = 0

    async def start(self) -> "FakeConsole":
        self._changed = asyncio.Condition()
        self._socket: ServerConnection | None = None
        self._nonce = 0
        self._server = await serve(self._serve, "127.0.0.1", self.port, max_size=protocol.MAX_FRAME)
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close(close_connections=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def send(self, frame) -> None:
        assert self._socket is not None, "no agent is connected"
        await self._socket.send(encode(frame))

    async def push(self, *, removed=None, aliases=None, wait=True, **resources) -> protocol.Applied:
        """The agent's answer."""
        self._nonce += 1
        nonce = self._nonce
        await self.send(protocol.Push(nonce, {k: tuple(v) for k, v in resources.items()}, removed or {}, aliases or {}))
        return await self.until(protocol.Applied, lambda f: f.nonce == nonce) if wait else None

    async def until(self, kind, test=lambda frame: True, seconds=20.0, after=0):
        """The first such frame; those that came already count."""
        async with self._changed:
            async with asyncio.timeout(seconds):
                while True:
                    for frame in self.frames[after:]:
                        if isinstance(frame, kind) and test(frame):
                            return frame
                    await self._changed.wait()

    def counted(self, name="istio_requests_total", **labels) -> float:
        found = [c for b in self.stored.values() for c in b.counters if c.name == name]
        return sum(c.value for c in found if all(c.labels.get(k) == v for k, v in labels.items()))

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            await self._converse(socket)
        except ConnectionClosed:
            pass
        finally:
            if self._socket is socket:
                self._socket = None

    async def _note(self, frame) -> None:
        async with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    async def _receive(self, socket):
        frame = decode_from_agent(await socket.recv())
        await self._note(frame)
        return frame

    async def _converse(self, socket: ServerConnection) -> None:
        hello = await self._receive(socket)
        if self.refuse:
            await socket.send(encode(self.refuse))
            return
        w = hello.workload
        uri = f"spiffe://cluster.local/ns/{w.namespace}/sa/{w.service_account}"
        nonce = os.urandom(16)
        await socket.send(encode(protocol.Challenge(nonce, NAME)))
        frame = await self._receive(socket)
        chain = b""
        if isinstance(frame, protocol.Join):
            if frame.token != self.token:
                await socket.send(encode(protocol.Refused("token", "this join token is not known")))
                return
            chain = self.authority.sign(frame.csr, uri, self.life)
        else:
            certificate = self.authority.issued.get(frame.serial)
            try:
                if certificate is None:
                    raise InvalidSignature
                certificate.public_key().verify(frame.signature, proof(nonce, NAME), ec.ECDSA(hashes.SHA256()))
            except InvalidSignature:
                await socket.send(encode(protocol.Refused("proof", "the signature is wrong")))
                return
        self._socket = socket
        self.links += 1
        renew = datetime.datetime.now().timestamp() + self.life / 2
        await socket.send(encode(protocol.Welcome(f"{w.namespace}/{w.name}", uri, self.authority.bundle, chain, self.heartbeat, renew)))
        while True:
            frame = await self._receive(socket)
            match frame:
                case protocol.SignRequest(csr):
                    chain = self.authority.sign(csr, uri, self.life)
                    renew = datetime.datetime.now().timestamp() + self.life / 2
                    await socket.send(encode(protocol.Certificate(self.authority.bundle, chain, renew)))
                case protocol.Metrics(epoch, seq, batch):
                    self.stored.setdefault((epoch, seq), samples.decode(batch))
                    if not self.lose_acks:
                        await socket.send(encode(protocol.MetricsStored(epoch, seq)))
                case protocol.Demand(virtual_hosts):
                    for authority in virtual_hosts:
                        if authority in self.hosts:
                            self._nonce += 1
                            p = self.hosts[authority]
                            await socket.send(encode(protocol.Push(self._nonce, p.resources, p.removed, p.aliases)))
